/**
 * The functions of the WebAssembly kernel (assembly/kernel.ts says what each does). Arguments are byte addresses,
 * counts, and float32 values; 0 is no address.
 */
export interface KernelFunctions {
  mifStart(
    rest: number,
    stride: number,
    neurons: number,
    trajectory: number,
    alpha: number,
    peaks: number,
  ): void;
  mifForward(
    kind: number,
    constants: number,
    stride: number,
    slots: number,
    drives: number,
    steps: number,
    neurons: number,
    trajectory: number,
    alpha: number,
    peaks: number,
  ): void;
  mifBackward(
    kind: number,
    constants: number,
    stride: number,
    slots: number,
    driveBars: number,
    steps: number,
    neurons: number,
    trajectory: number,
    bars: number,
    voltageBars: number,
    labels: number,
    smoothing: number,
    scale: number,
    losses: number,
    scratch: number,
    decision: number,
    peaks: number,
    perVolt: number,
  ): void;
  gatherDrives(...args: [...Gathering, drives: number]): void;
  scatterDriveBars(...args: [...Gathering, driveBars: number, rowBars: number]): void;
  waveForward(
    ...args: [...Wave, bias: number, outputs: number, scale: number, drives: number, signals: number]
  ): void;
  waveBackward(
    ...args: [
      ...Wave,
      outputs: number,
      scale: number,
      driveBars: number,
      voltageBars: number,
      weightBars: number,
      biasBars: number,
    ]
  ): void;
  waveReduce(
    weightBars: number,
    biasBars: number,
    inputs: number,
    outputs: number,
    gradient: number,
    weightBytes: number,
    biasGradient: number,
  ): void;
  denseForward(
    x: number,
    inputs: number,
    weights: number,
    bias: number,
    y: number,
    outputs: number,
    rows: number,
    relu: number,
    mask: number,
  ): void;
  denseBackward(
    x: number,
    inputs: number,
    yBar: number,
    outputs: number,
    rows: number,
    weightBar: number,
    biasBar: number,
  ): void;
  denseBackwardInput(
    x: number,
    inputs: number,
    weights: number,
    yBar: number,
    outputs: number,
    rows: number,
    xBar: number,
    relu: number,
    mask: number,
  ): void;
  convForward(
    x: number,
    xPlane: number,
    xRow: number,
    channels: number,
    weights: number,
    weightBytes: number,
    bias: number,
    kernel: number,
    stride: number,
    y: number,
    yPlane: number,
    yRow: number,
    maps: number,
    height: number,
    width: number,
    relu: number,
    mask: number,
  ): void;
  convBackward(
    x: number,
    xPlane: number,
    xRow: number,
    channels: number,
    kernel: number,
    stride: number,
    yBar: number,
    yPlane: number,
    yRow: number,
    maps: number,
    height: number,
    width: number,
    weightBars: number,
    biasBars: number,
  ): void;
  convBackwardInput(
    yBar: number,
    yPlane: number,
    yRow: number,
    maps: number,
    height: number,
    width: number,
    weights: number,
    weightBytes: number,
    kernel: number,
    stride: number,
    padding: number,
    x: number,
    xBar: number,
    xPlane: number,
    xRow: number,
    channels: number,
    xHeight: number,
    xWidth: number,
    relu: number,
    mask: number,
  ): void;
  poolForward(
    x: number,
    xPlane: number,
    xRow: number,
    channels: number,
    size: number,
    stride: number,
    y: number,
    yPlane: number,
    yRow: number,
    height: number,
    width: number,
  ): void;
  poolBackward(
    yBar: number,
    yPlane: number,
    yRow: number,
    height: number,
    width: number,
    size: number,
    stride: number,
    x: number,
    xBar: number,
    xPlane: number,
    xRow: number,
    channels: number,
    xHeight: number,
    xWidth: number,
    relu: number,
    mask: number,
  ): void;
  waveConvForward(...args: [...WaveConv, bias: number, scale: number, drives: number]): void;
  waveConvBackward(
    ...args: [
      ...WaveConv,
      scale: number,
      driveBars: number,
      voltageBars: number,
      weightBars: number,
      biasBars: number,
    ]
  ): void;
  imageFromRows(...args: ImageAndRows): void;
  rowsFromImage(...args: ImageAndRows): void;
  imageSlope(
    y: number,
    yBar: number,
    plane: number,
    row: number,
    channels: number,
    height: number,
    width: number,
    relu: number,
    mask: number,
  ): void;
  adam(
    weights: number,
    first: number,
    second: number,
    gradients: number,
    shards: number,
    shardBytes: number,
    from: number,
    to: number,
    settings: number,
    average: number,
  ): void;
  clear(at: number, bytes: number): void;
  /** Multiply-adds and nothing else, to measure what the machine can do: 64 floating-point operations a round. */
  arithmeticLimit(rounds: number): number;
}

/** Rows of the layer whose outputs drive a population by pulses, and how they are scaled (A) and limited (A). */
export type Gathering = [rows: number, rowBytes: number, neurons: number, scale: number, limit: number];

/** Waveforms of the population before a layer, their rest and unit (1/V), and the layer's weights. */
export type Wave = [
  trajectory: number,
  steps: number,
  inputs: number,
  rest: number,
  restStride: number,
  unit: number,
  weights: number,
  weightBytes: number,
];

/** Waveforms of the population before a convolution, which is channels × height × width neurons, and its weights. */
export type WaveConv = [
  trajectory: number,
  steps: number,
  rest: number,
  restStride: number,
  unit: number,
  channels: number,
  xHeight: number,
  xWidth: number,
  padding: number,
  image: number,
  weights: number,
  weightBytes: number,
  kernel: number,
  stride: number,
  maps: number,
  height: number,
  width: number,
];

/** Four samples as rows of values, and the same as an image. */
export type ImageAndRows = [
  rows: number,
  rowBytes: number,
  channels: number,
  height: number,
  width: number,
  x: number,
  xPlane: number,
  xRow: number,
];

/** One call of the kernel: the function's name and its arguments. */
export type Call = {
  [Name in keyof KernelFunctions]: readonly [name: Name, ...args: Parameters<KernelFunctions[Name]>];
}[keyof KernelFunctions];

/** Calls that one thread makes in this order. */
export type Task = readonly Call[];
