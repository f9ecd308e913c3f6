/** ULIDs: ids that sort by the time at which they were made, in Crockford's base 32. */
import { randomBytes } from 'node:crypto';

const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

export function ulid(now = Date.now()): string {
  let time = '';
  for (let rest = now, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = DIGITS[rest % 32] + time;
  return time + Array.from(randomBytes(16), (byte) => DIGITS[byte % 32]).join('');
}
