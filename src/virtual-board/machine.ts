/** What runs the firmware. It calls `transmit` from `boot` and `poll` only. */
export interface Machine {
  /** Power on or reset: no session, all lines at 0 V. */
  boot(): void;
  /** Bytes from the host. What they ask for is done in `poll`. */
  receive(bytes: Uint8Array): void;
  /** Does a little work; true if there may be more now. */
  poll(): boolean;
}
