import { decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';
import type { LatencyHistogram } from './results.ts';

const marks = [50, 75, 90, 99, 99.9];

/** A histogram in microseconds as the results hold it, with the marks p50 to p99.9 and max. */
export const latencyOf = (name: string, histogram: Histogram): LatencyHistogram => ({
  name,
  unit: 'us',
  count: histogram.totalCount,
  percentiles: {
    // A histogram answers with the upper end of a value's bucket, which may lie above the largest value there was.
    ...Object.fromEntries(
      marks.map((mark) => [`p${mark}`, Math.min(histogram.maxValue, histogram.getValueAtPercentile(mark))]),
    ),
    max: histogram.maxValue,
  },
  hdr: encodeIntoCompressedBase64(histogram),
});

/** The histogram that {@link latencyOf} encoded. Throws when `hdr` is not one. */
export const histogramOf = ({ hdr }: Pick<LatencyHistogram, 'hdr'>): Histogram =>
  decodeFromCompressedBase64(hdr, 32, false);

/** The percentile distribution as HdrHistogram's own tools read it (`.hgrm`), in microseconds. */
export const percentileTable = (latency: LatencyHistogram): string =>
  histogramOf(latency).outputPercentileDistribution();
