/** Events to a dashboard on a terminal, or to lines where there is none. */
import type { Dashboard, DashboardOptions } from './dashboard.js';

export type { Dashboard, DashboardOptions } from './dashboard.js';
export { jsonLines, plainLines } from './lines.js';
export { type DashboardState, initialState, reduce } from './state.js';

/**
 * Takes over the terminal and draws the events until `stop`. Events before it resolves are not drawn.
 * React is imported here, and for production: its development build keeps every measurement that it takes.
 */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { NODE_ENV } = process.env;
  process.env.NODE_ENV ??= 'production';
  try {
    const { openDashboard } = await import('./dashboard.js');
    return openDashboard(options);
  } finally {
    if (NODE_ENV === undefined) delete process.env.NODE_ENV;
  }
}
