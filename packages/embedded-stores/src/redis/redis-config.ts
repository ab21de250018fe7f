import { loopbackHost } from '../loopback-port.ts';

/** What differs between two embedded Redis servers. */
export type RedisConfig = {
  readonly dataDir: string;
  readonly port: number;
  readonly password: string;
  readonly persistence: boolean;
  /** How many logical databases it has, numbered from 0. */
  readonly databases: number;
};

const quoted = (value: string): string => {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
};

/** The text of a configuration file. It carries the password, which a command line would show to every user. */
export const renderRedisConfig = ({ dataDir, port, password, persistence, databases }: RedisConfig): string => {
  const lines: [name: string, value: string][] = [
    ['bind', loopbackHost],
    ['port', String(port)],
    ['protected-mode', 'yes'],
    ['requirepass', password],
    ['daemonize', 'no'],
    ['dir', dataDir],
    ['pidfile', `${dataDir}/redis.pid`],
    ['logfile', ''],
    // Keeps the command line as started, by which an orphan is recognised.
    ['set-proc-title', 'no'],
    // Queues must fail aloud rather than lose jobs.
    ['maxmemory-policy', 'noeviction'],
    ['databases', String(databases)],
    ['save', ''],
    ['appendonly', persistence ? 'yes' : 'no'],
    ['appendfsync', 'everysec'],
  ];
  return lines.map(([name, value]) => `${name} ${quoted(value)}\n`).join('');
};
