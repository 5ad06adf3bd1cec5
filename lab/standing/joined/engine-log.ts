/** What NodeEngine has said of its cluster, as its log has it. */
export type ClusterTalk = {
  /** How the cluster knows the worker, and which dialect it understands. */
  readonly registration?: { readonly id: string; readonly dialect: string };
  /** `host:port` of the broker that it is connected to. */
  readonly broker?: string;
  /** What is in the way, in NodeEngine's words; absent while it is connected. */
  readonly trouble?: string;
  /** Why NetManager has not taken the registration, when NodeEngine said so last. */
  readonly network?: string;
};

/** A line of a daemon's log: time, level and text. */
const linePattern = /^\S+ (?<level>INFO|WARN|ERROR) (?<text>.*)$/;
const registered = /^registered with \S+ as (?<id>\S+) in the dialect (?<dialect>\S+)$/;
const connected = /^connected to the broker at (?<broker>\S+)$/;
/** What stands in the way of a registration or of a connection ends with what is done about it. */
const troubled = /^(?<trouble>the cluster at .+?); trying again$|^(?<lost>.+?); (?:connecting again|going on as \S+)$/;
const refused = /^(?<network>NetManager .+?)(?:; trying again\b.*)?$/;

/** What a line of NodeEngine's tells, where it tells anything of these. */
const told = (said: string, before: ClusterTalk): ClusterTalk => {
  const known = before.registration && { registration: before.registration };
  const { id, dialect } = registered.exec(said)?.groups ?? {};
  if (id !== undefined && dialect !== undefined) return { registration: { id, dialect } };
  const { broker } = connected.exec(said)?.groups ?? {};
  const { network } = refused.exec(said)?.groups ?? {};
  if (broker !== undefined) return { ...known, broker, ...(before.network && { network: before.network }) };
  if (network !== undefined) return { ...before, network };
  const { trouble, lost = trouble } = troubled.exec(said)?.groups ?? {};
  return lost === undefined ? before : { ...known, trouble: lost };
};

/** What is known after some more lines of NodeEngine's log; `before` is what was known until then. */
export const readEngineLog = (text: string, before: ClusterTalk = {}): ClusterTalk =>
  text.split('\n').reduce((talk, line) => {
    const { level, text: said = '' } = linePattern.exec(line)?.groups ?? {};
    return level === undefined ? talk : told(said, talk);
  }, before);
