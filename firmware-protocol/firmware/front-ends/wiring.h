/* Made from front-ends/crossbar-a.json by firmware-protocol/generate.mjs: do not edit. */
#ifndef MEMLOOP_WIRING_H
#define MEMLOOP_WIRING_H

#define FRONT_END_ROWS 8
#define FRONT_END_COLUMNS 8

/* Pins, by their order in the table; the port says where each is. */
enum {
  PIN_UART_TX, /* to the host's receiver, 921 600 Bd */
  PIN_UART_RX, /* from the host's transmitter */
  PIN_SPI_CLOCK, /* SCLK of all converters and switches */
  PIN_SPI_OUT, /* SDI of all converters, and of the first switch chip */
  PIN_SPI_IN, /* SDO of all converters, and of the last switch chip */
  PIN_SELECT_ROW_DAC, /* SYNC of U1; 10 kΩ to 3.3 V */
  PIN_SELECT_COLUMN_DAC, /* SYNC of U2; 10 kΩ to 3.3 V */
  PIN_LOAD_DACS, /* LDAC of U1 and U2, low: outputs take what was written; 10 kΩ to 3.3 V */
  PIN_SELECT_ADC, /* CS of U3; 10 kΩ to 3.3 V */
  PIN_SELECT_SWITCHES, /* SYNC of U4 to U10; 10 kΩ to 3.3 V */
  PIN_LINES_ALIVE, /* RESET of U1, U2 and U4 to U10; low: switches open, DACs at 0 V on all lines. 10 kΩ to ground, so that a board without firmware is safe */
  PIN_OVER_CURRENT, /* low: U15 saw more than 5 mA at the virtual ground, and holds LINES_ALIVE down; 10 kΩ to 3.3 V */
  PINS
};
#define RP2040_GPIO \
  { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }
#define NUCLEO_PORT \
  { 'D', 'D', 'A', 'A', 'A', 'D', 'D', 'F', 'F', 'E', 'E', 'E' }
#define NUCLEO_BIT \
  { 5, 6, 5, 7, 6, 14, 15, 12, 13, 9, 11, 13 }

enum {
  DEVICE_ROW_DAC, /* AD5676R */
  DEVICE_COLUMN_DAC, /* AD5676R */
  DEVICE_ADC, /* ADS8688 */
  DEVICE_SWITCHES, /* ADG1414 */
  DEVICES
};
#define DEVICE_SELECT \
  { PIN_SELECT_ROW_DAC, PIN_SELECT_COLUMN_DAC, PIN_SELECT_ADC, PIN_SELECT_SWITCHES }

/* Groups of eight switches, in the order of the chain. */
enum {
  SWITCH_COLUMN_TO_METER, /* column n to its current meter */
  SWITCH_COLUMN_TO_BIAS, /* column n to its DAC */
  SWITCH_ROW_DIRECT, /* row n to its DAC */
  SWITCH_ROW_SERIES, /* row n to its DAC through 1 kΩ */
  SWITCH_METER_RANGE, /* 11.11 kΩ beside the 100 kΩ of meter n: range 1 */
  SWITCH_ROW_TO_REFERENCE, /* DAC of row n to the reference resistor */
  SWITCH_REFERENCE_TO_METER, /* reference resistor to meter n */
  SWITCH_GROUPS
};

#define SPI_CLOCK_HZ 15625000 /* SPI clock, Hz; mode 1 for all chips */
#define ROW_VOLTS_PER_COUNT 0.0000762939453125f /* 5 V / 2^16: step of the lines, V */
#define ROW_MAX_COUNT 32767 /* lines reach ±2.5 V against the virtual ground at 2.5 V */
#define AMPS_PER_COUNT_0 7.8125e-10f /* 5.12 V / 2^16 / 100 kΩ: step of the currents in range 0, A */
#define AMPS_PER_COUNT_1 7.8125e-9f /* 5.12 V / 2^16 / 10 kΩ: in range 1, A */
#define CURRENT_MAX_COUNT 32000 /* 2.5 V of the ADC's 5.12 V lie on either side of zero current */
#define SERIES_RESISTANCE 1000 /* in series with the selected row during a pulse, Ω */
#define BIAS_PARTS_UP 2 /* pulses over 0 V: half-selected cells see one part of so many */
#define BIAS_PARTS_DOWN 3 /* pulses under 0 V */
#define REFERENCE_RESISTANCE 20000 /* reference resistor, 0.1 %, Ω */
#define MAX_VOLTAGE 0.75f /* highest pulse, V: KNOWM's own limit for W devices */
#define MIN_VOLTAGE -1 /* lowest pulse, V */
#define MAX_READ_VOLTAGE 0.2f /* largest absolute voltage of a read, V */
#define MIN_WIDTH 0.00001f /* shortest pulse, s: a DAC's settling is then a small part of it */
#define MAX_WIDTH 0.0065f /* longest pulse, s: what the protocol's 16 bits hold */
#define MAX_ENERGY 1e-8f /* largest energy of a pulse, taken as V²/(4 R) x width, J */
#define MAX_PULSES 60000 /* pulses a cell may have between two starts */
#define READ_TIME 0.00005f /* longest time that one sample of all columns takes, s */
#define DEAD_MAN_TIME 2 /* silence of the host after which all lines go to 0 V, s */
#define LINES_SETTLE_US 10 /* from a step of the DACs to a settled line, µs */
#define READ_SETTLE_US 250 /* from a step of the DACs to a settled ADC, whose inputs have a filter of 15 kHz, µs */
#define RESET_US 2 /* length of a reset of switches and DACs, µs */

#endif
