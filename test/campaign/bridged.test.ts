import { campaign } from './campaign.ts';

campaign(import.meta.url, 'bridged');
