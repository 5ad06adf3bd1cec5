/** Topics between a cluster and the node engine of worker `id` (contract, section 2). */
export const engineTopics = (id: string) => ({
  deploy: `nodes/${id}/control/deploy`,
  delete: `nodes/${id}/control/delete`,
  error: `nodes/${id}/control/error`,
  information: `nodes/${id}/information`,
  resources: `nodes/${id}/jobs/resources`,
  job: `nodes/${id}/job`,
});

/** Topics between a cluster and the net manager of worker `id` (contract, section 5). */
export const netTopics = (id: string) => ({
  subnetRequest: `nodes/${id}/net/subnet`,
  subnetResult: `nodes/${id}/net/subnetwork/result`,
  serviceDeployed: `nodes/${id}/net/service/deployed`,
  addressChanged: `nodes/${id}/net/service/address-changed`,
  tableRequest: `nodes/${id}/net/tablequery/request`,
  tableResult: `nodes/${id}/net/tablequery/result`,
  interestRemove: `nodes/${id}/net/interest/remove`,
});

/** Where a cluster announces that the instances of `jobName` changed. */
export const updatesTopic = (jobName: string): string => `jobs/${jobName}/updates_available`;
