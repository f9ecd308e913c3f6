#include "flash-id.h"

#include "chip.h"
#include "xip.h"

#define SSI(OFFSET) REGISTER(XIP_SSI + (OFFSET))
#define QSPI_SELECT REGISTER(0x4001800c)
#define SELECT_LOW (2u << 8)
#define SELECT_HIGH (3u << 8)
#define SSI_NOT_EMPTY (1u << 3)

#define COMMAND 0x4bu
#define ID_BYTES 8u
#define BEFORE 5u /* command and four bytes that mean nothing */

/* While the flash is asked, nothing can run from it. */
IN_RAM void flash_id(uint8_t id[8]) {
  __asm volatile("cpsid i" ::: "memory");
  SSI(SSI_ENABLE) = 0;
  SSI(SSI_CONTROL0) = SSI_CONTROL0_BYTES;
  SSI(SSI_ENABLE) = 1;
  SSI(SSI_SLAVE_ENABLE) = 1;
  QSPI_SELECT = SELECT_LOW;
  SSI(SSI_DATA) = COMMAND;
  for (uint32_t i = 1; i < BEFORE + ID_BYTES; i++) SSI(SSI_DATA) = 0;
  for (uint32_t i = 0; i < BEFORE + ID_BYTES; i++) {
    while (!(SSI(SSI_STATUS) & SSI_NOT_EMPTY)) {
    }
    uint8_t byte = (uint8_t)SSI(SSI_DATA);
    if (i >= BEFORE) id[i - BEFORE] = byte;
  }
  QSPI_SELECT = SELECT_HIGH;
  QSPI_SELECT = 0;
  SSI(SSI_ENABLE) = 0;
  SSI(SSI_CONTROL0) = SSI_CONTROL0_XIP;
  SSI(SSI_CONTROL1) = 0;
  SSI(SSI_SPI_CONTROL0) = SSI_SPI_CONTROL0_XIP;
  SSI(SSI_ENABLE) = 1;
  __asm volatile("cpsie i" ::: "memory");
}
