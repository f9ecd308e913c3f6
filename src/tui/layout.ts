/** Which panels are drawn and how large, for a size of the terminal. */

export const PANELS = ['conductance', 'membrane', 'curves', 'link', 'log'] as const;
export type PanelName = (typeof PANELS)[number];

export interface Size {
  columns: number;
  rows: number;
}

export const SMALLEST: Size = { columns: 40, rows: 10 };

/** Panels stacked in columns side by side, in rows from top to bottom; sizes include the borders. */
export interface PanelBox {
  panel: PanelName;
  width: number;
  height: number;
}
export type Band = PanelBox[][];

export interface Layout {
  /** Lines of the header: title, accuracies where there is room, progress. */
  header: 2 | 3;
  bands: Band[];
}

/** A terminal that does not know its size says 0. */
export const sizeOf = (stream: { columns?: number; rows?: number }): Size => ({
  columns: stream.columns || 80,
  rows: stream.rows || 24,
});

/** The last row stays free: a frame of full height makes terminals scroll. */
export function layoutOf(size: Size, only: PanelName | undefined, focused: PanelName): Layout {
  const { columns } = size;
  const rows = size.rows - 1;
  const header = rows >= 14 ? 3 : 2;
  const height = rows - header - 1;
  const whole = (panel: PanelName): Layout => ({ header, bands: [[[{ panel, width: columns, height }]]] });
  if (only) return whole(only);
  if (columns < 72 || height < 15) return whole(focused);
  if (columns < 110 || height < 28) {
    const left = Math.floor(columns / 2);
    const right = columns - left;
    const top = Math.ceil(height * 0.54);
    const bottom = height - top;
    const link = Math.min(7, Math.floor(bottom / 2));
    return {
      header,
      bands: [
        [
          [{ panel: 'conductance', width: left, height: top }],
          [{ panel: 'membrane', width: right, height: top }],
        ],
        [
          [{ panel: 'curves', width: left, height: bottom }],
          [
            { panel: 'link', width: right, height: link },
            { panel: 'log', width: right, height: bottom - link },
          ],
        ],
      ],
    };
  }
  const bottom = Math.min(12, Math.floor(height / 4));
  const top = height - bottom;
  const left = Math.min(Math.floor(columns * 0.46), 150);
  const right = columns - left;
  const membrane = Math.ceil(top / 2);
  const link = Math.min(left, Math.floor(columns * 0.4));
  return {
    header,
    bands: [
      [
        [{ panel: 'conductance', width: left, height: top }],
        [
          { panel: 'membrane', width: right, height: membrane },
          { panel: 'curves', width: right, height: top - membrane },
        ],
      ],
      [
        [{ panel: 'link', width: link, height: bottom }],
        [{ panel: 'log', width: columns - link, height: bottom }],
      ],
    ],
  };
}
