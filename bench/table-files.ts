/** The tables of bench:tables and bench:small, of Debian's packages python3-sklearn, weka and libfann-doc. */
const SKLEARN = '/usr/lib/python3/dist-packages/sklearn/datasets/data';
const WEKA = '/usr/share/doc/weka/examples';

export const TABLES: Readonly<Record<string, string>> = {
  iris: `${SKLEARN}/iris.csv`,
  wine: `${SKLEARN}/wine_data.csv`,
  'breast cancer': `${SKLEARN}/breast_cancer.csv`,
  ionosphere: `${WEKA}/ionosphere.arff`,
  segment: `${WEKA}/segment-challenge.arff`,
  // libfann-doc installs into the folder of libfann-dev.
  thyroid: '/usr/share/doc/libfann-dev/examples/datasets/thyroid.train',
};

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, x) => sum + x, 0) / values.length;
/** Standard deviation of a sample. */
export const deviation = (values: readonly number[]): number =>
  Math.sqrt(values.reduce((sum, x) => sum + (x - mean(values)) ** 2, 0) / Math.max(1, values.length - 1));
