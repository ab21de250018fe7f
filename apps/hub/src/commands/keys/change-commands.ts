import type { Command } from 'commander';
import { addChange } from './change-command.ts';
import { addCreate } from './create-command.ts';
import { pathOfKey } from './key-id.ts';
import type { WithReason } from './key-options.ts';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { printJson, printLine } from '../hub-api/print.ts';
import { addRevoke } from './revoke-command.ts';
import { addRetireOld, addRotate } from './rotate-commands.ts';

const addSwitch = (keys: Command, withHub: WithHub, name: 'enable' | 'disable', description: string): Command =>
  hubCommand(keys, `${name} <keyId>`, description, `hub keys ${name} Ab3dEf6hIj9l`)
    .option('--reason <text>', 'kept in the audit log')
    .action((keyId: string, options: WithReason) =>
      withHub(options, async (hub) => {
        const body = { enabled: name === 'enable', reason: options.reason };
        const key = await hub.call<{ keyId: string; status: string }>('PATCH', pathOfKey(keyId), body);
        if (options.json === true) printJson(key);
        else printLine(`Key ${key.keyId} is ${key.status}.`);
      }),
    );

const addDismissAnomaly = (keys: Command, withHub: WithHub): Command =>
  hubCommand(
    keys,
    'dismiss-anomaly <keyId>',
    'take the anomaly flag off a key: the calls from that network are its own',
    'hub keys dismiss-anomaly Ab3dEf6hIj9l',
  ).action((keyId: string, options: CommonOptions) =>
    withHub(options, async (hub) => {
      const key = await hub.call<{ keyId: string }>('POST', pathOfKey(keyId, '/dismiss-anomaly'));
      if (options.json === true) printJson(key);
      else printLine(`Key ${key.keyId} is not flagged.`);
    }),
  );

/** The commands that change keys. */
export const addChangeCommands = (keys: Command, withHub: WithHub): void => {
  addCreate(keys, withHub);
  addChange(keys, withHub);
  addRotate(keys, withHub);
  addRetireOld(keys, withHub);
  addSwitch(keys, withHub, 'disable', 'refuse a key until it is enabled again');
  addSwitch(keys, withHub, 'enable', 'let a disabled key work again');
  addDismissAnomaly(keys, withHub);
  addRevoke(keys, withHub);
};
