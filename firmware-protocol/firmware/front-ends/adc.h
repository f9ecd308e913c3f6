/* The ADC behind the current meters of the columns. Another part is another file that implements this. */
#ifndef MEMLOOP_ADC_H
#define MEMLOOP_ADC_H

#include <stdbool.h>
#include <stdint.h>

/* False if it does not answer. */
bool adc_start(void);
/* Adds `samples` samples of each of `count` channels from `first` to their sums. A sample is positive for a current
 * out of the crossbar, in steps of the range, and never beyond ±CURRENT_MAX_COUNT. */
void adc_sample(uint8_t first, uint8_t count, uint32_t samples, int32_t *sums);

#endif
