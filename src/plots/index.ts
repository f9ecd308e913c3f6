/** Numbers to pictures: SVG, PNG and text. Values come in SI units. */
export { type Bar, type BarChart, type BarGroup, barChart } from './bars.js';
export { confusionChart, type Grid, type HeatChart, heatChart } from './heatmap.js';
export { type Line, lineChart, type Panel } from './lines.js';
export { fitPlot, type Loop, type LoopFit, loopPlot, loopText } from './loop.js';
export { type ProgrammedCell, programPlot } from './programming.js';
export { CHART_STYLE, escapeMarkup, standalone } from './svg.js';
export { type TextPlot, textPlot } from './text.js';
export { type NeuronTrace, type Traces, tracePlot, traceText } from './trace.js';
export { type TrainedEpoch, trainingPlot } from './training.js';
