import Type, { type Static } from 'typebox';
import { DeployRequest, jobStatuses } from '../../contract/job.ts';

/** A status of an instance, for the cluster. It is pending until the cluster has acknowledged it. */
export const StatusReport = Type.Object({
  job_name: Type.String(),
  instance_number: Type.Integer(),
  status: Type.Enum([...jobStatuses]),
  detail: Type.String(),
});
export type StatusReport = Static<typeof StatusReport>;

/**
 * What the engine has to remember of one instance. Written down before an order counts as taken and before a report is
 * sent, so that the next engine knows what one that was killed had still to do.
 */
export const Entry = Type.Object({
  /** What was ordered; absent when nothing of it is left. */
  job: Type.Optional(DeployRequest),
  /** Set once it runs. */
  ready: Type.Boolean(),
  /** Set when it has to go. */
  removing: Type.Optional(Type.Boolean()),
  /** Set when UNDEPLOYED has to be reported as soon as nothing of it is left. */
  undeploy: Type.Optional(Type.Boolean()),
  /** What was ordered after that, and begins when nothing of it is left. */
  next: Type.Optional(DeployRequest),
  /** The pending ones, oldest first. */
  reports: Type.Optional(Type.Array(StatusReport)),
});
export type Entry = Static<typeof Entry>;

/** A change of what is remembered. */
export type Change = (entry: Entry) => Entry;

export const emptyEntry: Entry = { ready: false };

/** True when there is nothing to remember. */
export const isEmpty = ({ job, undeploy, next, reports = [] }: Entry): boolean =>
  job === undefined && undeploy !== true && next === undefined && reports.length === 0;

const withoutNext = ({ next: _, ...others }: Entry): Entry => others;

/** A job was ordered: nothing of it is there yet, and perhaps something of what was before it. */
export const deploymentOrdered =
  (job: DeployRequest): Change =>
  (entry) =>
    entry.job === undefined && entry.undeploy !== true ? { ...entry, job, ready: false } : { ...entry, next: job };

/** The order `job`, which could not be written down, is forgotten; what came and was reported meanwhile is not. */
export const deploymentForgotten =
  (job: DeployRequest): Change =>
  (entry) => {
    if (entry.next === job) return withoutNext(entry);
    if (entry.job !== job) return entry;
    const { undeploy, reports } = entry;
    return { ready: false, ...(undeploy && { undeploy }), ...(reports && { reports }) };
  };

/** A delete was ordered, of this instance or of one that is not here. */
export const deletionOrdered: Change = (entry) => ({
  ...withoutNext(entry),
  ...(entry.job && { removing: true }),
  undeploy: true,
});

/** A report is to be sent. */
export const reportPending =
  (report: StatusReport): Change =>
  (entry) => ({ ...entry, reports: [...(entry.reports ?? []), report] });

/** The instance runs, as `report` says. */
export const instanceStarted =
  (report: StatusReport): Change =>
  (entry) =>
    reportPending(report)({ ...entry, ready: true });

/** What was ordered next does not begin; `report` says why. */
export const deploymentDropped =
  (report: StatusReport): Change =>
  (entry) =>
    reportPending(report)(withoutNext(entry));

/** The instance has ended, or never came up, and what is left of it has to go; `report` says how. */
export const instanceEnded =
  (report: StatusReport | undefined): Change =>
  (entry) => {
    const leaving: Entry = { ...entry, ...(entry.job && { removing: true }) };
    return report === undefined ? leaving : reportPending(report)(leaving);
  };

/** Nothing of the instance is left: what was ordered next is in its place. Where that was ordered, `report` is pending. */
export const instanceRemoved =
  (report: StatusReport): Change =>
  ({ undeploy, next, reports = [] }) => {
    const all = undeploy === true ? [...reports, report] : reports;
    return { ...(next && { job: next }), ready: false, ...(all.length > 0 && { reports: all }) };
  };

const same = (one: StatusReport, other: StatusReport): boolean =>
  one.status === other.status && one.detail === other.detail;

/** The cluster has acknowledged a report. */
export const reportAcknowledged =
  (report: StatusReport): Change =>
  (entry) => {
    const { reports = [], ...others } = entry;
    const at = reports.findIndex((one) => same(one, report));
    if (at < 0) return entry;
    const left = reports.toSpliced(at, 1);
    return left.length === 0 ? others : { ...others, reports: left };
  };

/** What an engine has to do about an instance that an earlier one left, beside sending its reports. */
export type Duty = 'nothing' | 'watch' | 'report its end' | 'report that it failed' | 'remove' | 'answer';

/**
 * The duty that follows from an entry; `runs` is true when the instance's process does. Reports are in a file of their own,
 * which may be newer than the rest: when the last one is CREATED, the instance is ready.
 */
export const dutyOf = ({ job, ready, removing, undeploy, reports }: Entry, runs: boolean): Duty => {
  if (job === undefined) return undeploy === true ? 'answer' : 'nothing';
  if (removing === true) return 'remove';
  if (!ready && reports?.at(-1)?.status !== 'CREATED') return 'report that it failed';
  return runs ? 'watch' : 'report its end';
};
