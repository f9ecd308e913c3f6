/** The version field of a file format. */
import { z } from 'zod';

/**
 * A field that holds the format's version. Files of this version are read; what was added since the first files of this
 * version has a default. A newer file is refused with a message that names both versions.
 */
export const fileVersion = <V extends number>(version: V) =>
  z.literal(version, {
    error: ({ input }) =>
      typeof input === 'number' && input > version
        ? `the file has version ${input}, and this memloop reads version ${version}: use a newer memloop`
        : undefined,
  });
