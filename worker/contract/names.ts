/** A service's full name: application, its namespace, service, its namespace, joined by dots. */
const servicePattern = /^[a-zA-Z0-9]{1,30}(\.[a-zA-Z0-9]{1,30}){3}$/;

/** True for `app.appns.svc.svcns`, each part 1 to 30 letters or digits. */
export const isServiceName = (name: string): boolean => servicePattern.test(name);

/** The name of one instance: task id, log file and network namespace alike. */
export const taskId = (service: string, instance: number): string => `${service}.instance.${instance}`;

/** The parts of a task id, or undefined when `id` is none. */
export const parseTaskId = (id: string): { readonly service: string; readonly instance: number } | undefined => {
  const match = /^(?<service>.+)\.instance\.(?<instance>\d{1,9})$/.exec(id);
  const { service, instance } = match?.groups ?? {};
  if (service === undefined || instance === undefined || !isServiceName(service)) return undefined;
  return { service, instance: Number(instance) };
};
