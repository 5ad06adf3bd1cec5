import type { Resource } from '../../../../../lab/machine/hardware/labgrid/messages.ts';

/** An acquired resource as a coordinator tells of it. */
export const resource = (
  cls: string,
  params: Readonly<Record<string, string | number>>,
  more: Partial<Resource> = {},
): Resource => ({
  path: { exporterName: 'rack1', groupName: 'pi4-1', resourceName: cls },
  ...{ cls, extra: {}, acquired: 'pi4-1', avail: true },
  params: Object.fromEntries(
    Object.entries(params).map(([key, value]) => [
      key,
      typeof value === 'string' ? { stringValue: value } : { uintValue: value },
    ]),
  ),
  ...more,
});
