import { appendFile, stat } from 'node:fs/promises';
import { type Annotation, annotationLine, shownAnnotations } from './formats/github.ts';

/** GitHub drops the whole summary of a step that is longer, in bytes. */
const longestSummary = 1_048_576;
const cutWords = '\n\nThe rest of this summary is too long for GitHub: it is in the report.\n';

/** As much of `text`, in whole lines, as there is room for in so many bytes, and that it was cut. */
export const cutSummary = (text: string, room: number): string => {
  if (Buffer.byteLength(text) <= room) return text;
  const kept = Buffer.from(text).subarray(0, Math.max(0, room - Buffer.byteLength(cutWords)));
  const end = kept.lastIndexOf('\n');
  return end < 0 ? '' : `${kept.subarray(0, end + 1).toString()}${cutWords}`;
};

/**
 * In a job of GitHub Actions, adds to the summary of the step and says its remarks, which are looked for on standard error
 * too; elsewhere nothing. What cannot be written is said, and changes no outcome.
 */
export const tellGithub = async (told: {
  readonly summary: string;
  readonly annotations: readonly Annotation[];
}): Promise<void> => {
  const { GITHUB_ACTIONS: isThere, GITHUB_STEP_SUMMARY: file } = process.env;
  if (isThere === 'true')
    for (const one of shownAnnotations(told.annotations)) process.stderr.write(`${annotationLine(one)}\n`);
  if (!file) return;
  try {
    const { size } = await stat(file).catch(() => ({ size: 0 }));
    await appendFile(file, cutSummary(told.summary, longestSummary - size));
  } catch (error) {
    process.stderr.write(`the job summary could not be written: ${error instanceof Error ? error.message : error}\n`);
  }
};
