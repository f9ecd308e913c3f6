/* Front end A: line DACs, a switch matrix, current meters and an ADC around one passive crossbar. Implements the part of
 * hal.h that has to do with lines. */
#ifndef MEMLOOP_CROSSBAR_A_H
#define MEMLOOP_CROSSBAR_A_H

/* Codes of hal_fault, told to the host in a notice. */
enum {
  FRONT_END_WELL,
  FRONT_END_OVER_CURRENT,   /* the comparator has opened the switches; until the next start */
  FRONT_END_DAC_SILENT,     /* the DACs do not give back what was written */
  FRONT_END_SWITCHES_SILENT,/* nor the switches */
  FRONT_END_ADC_SILENT,     /* nor the ADC */
  FRONT_END_SWITCH_STUCK,   /* current flows with all switches open */
  FRONT_END_REFERENCE_OFF   /* the reference resistor is not what it should be: a voltage reference or a meter is off */
};

/* Once, before ml_boot: opens the switches, sets the DACs, and checks what can be checked with 50 mV. */
void front_end_start(void);

#endif
