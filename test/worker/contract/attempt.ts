import { InvalidData } from '../../../worker/contract/check.ts';

export type Document = Record<string, unknown>;

export const attempt = (read: () => unknown): Document | InvalidData => {
  try {
    return read() as Document;
  } catch (error) {
    if (error instanceof InvalidData) return error;
    throw error;
  }
};
