/* What the parts of this port share. */
#ifndef MEMLOOP_WASM_H
#define MEMLOOP_WASM_H

#define IMPORT(NAME) __attribute__((import_module("hal"), import_name(NAME)))
#define EXPORT(NAME) __attribute__((export_name(NAME)))

/* Before ml_boot, at each boot. */
void port_start(void);

#endif
