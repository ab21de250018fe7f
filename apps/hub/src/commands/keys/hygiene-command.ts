import type { Command } from 'commander';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { note, printJson, printTable } from '../hub-api/print.ts';

type Hygiene = Record<
  string,
  { count: number; keys: { keyId: string; name: string; why: string; nextStep: string }[] }
>;

/** What to do about each finding in commands; a finding of a newer hub is told in the hub's own words. */
const nextCommands = new Map<string, (keyId: string) => string>([
  ['expiring', (keyId) => `Prolong it: hub keys change ${keyId} --expires-in 90d`],
  ['idle', (keyId) => `See whether anybody needs it: hub keys disable ${keyId}, later hub keys revoke ${keyId}`],
  ['neverExpire', (keyId) => `Give it an end: hub keys change ${keyId} --expires-in 90d`],
  ['oldSecretStillUsed', (keyId) => `Move who still sends the old key, then: hub keys retire-old ${keyId}`],
  ['waitingForFirstUse', (keyId) => `Use the new key; if it is lost, make another: hub keys rotate ${keyId}`],
]);

/** `hub keys hygiene` */
export const addHygiene = (keys: Command, withHub: WithHub): Command =>
  hubCommand(keys, 'hygiene', 'list the keys that want attention, and what to do', 'hub keys hygiene').action(
    (options: CommonOptions) =>
      withHub(options, async (hub) => {
        const hygiene = await hub.call<Hygiene>('GET', '/admin/api-keys/hygiene');
        if (options.json === true) return printJson(hygiene);
        const rows = Object.entries(hygiene).flatMap(([finding, { keys: found }]) =>
          found.map(({ keyId, name, why, nextStep }) => [
            keyId,
            name,
            why,
            nextCommands.get(finding)?.(keyId) ?? nextStep,
          ]),
        );
        if (rows.length === 0) return note('No key wants attention.');
        printTable(['key id', 'name', 'why', 'what to do'], rows);
        const hidden = Object.values(hygiene).reduce((sum, { count, keys: listed }) => sum + count - listed.length, 0);
        if (hidden > 0) note(`And ${hidden} more; deal with these first.`);
      }),
  );
