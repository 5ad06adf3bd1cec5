/** A service's full name: application, its namespace, service, its namespace, joined by dots. */
const servicePattern = /^[a-zA-Z0-9]{1,30}(\.[a-zA-Z0-9]{1,30}){3}$/;

/** True for `app.appns.svc.svcns`, each part 1 to 30 letters or digits. */
export const isServiceName = (name: string): boolean => servicePattern.test(name);

/** The name of one instance: task id, log file and network namespace alike. */
export const taskId = (service: string, instance: number): string => `${service}.instance.${instance}`;

/** A worker's id: anything that can stand between the slashes of a topic and means no other topic (MQTT 3.1.1, 4.7). */
export const workerId = '^[^/+#\\s\\p{C}]{1,200}$';

/** The service and the number in a {@link taskId}. */
export const parseTaskId = (task: string): readonly [service: string, instance: number] => {
  const [, service = '', instance = ''] = /^(.*)\.instance\.(\d+)$/.exec(task) ?? [];
  return [service, Number(instance)];
};
