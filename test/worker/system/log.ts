import { consoleLog } from '../../../worker/system/log.ts';

const log = consoleLog(false);
process.on('message', (text: string) => {
  log.info(text);
  log.error(text);
  process.send?.('said');
});
