/** What every embedded server runs with; a caller's settings come after these and win. */
const fixedSettings: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1', // A private server: nothing but this machine reaches it.
  unix_socket_directories: '', // No socket left behind in /tmp for other users to find.
  max_connections: '100', // The door, each module and the deliverers have their share; each costs about 2 MB.
  wal_level: 'logical', // Backup needs `replica`; reading changes needs `logical`, and switching needs a restart.
  // WAL that waits for an archive that does not come must not fill the disk: the slot is given up first, and says so.
  max_slot_wal_keep_size: '4GB',
  timezone: 'UTC', // Otherwise initdb takes the machine's and a dump reads differently elsewhere.
  log_timezone: 'UTC',

  // The server's own log must never hold personal data, so it holds no statement and no value.
  log_statement: 'none',
  log_min_duration_statement: '-1',
  log_min_error_statement: 'panic',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  log_error_verbosity: 'terse', // DETAIL and CONTEXT quote rows and COPY lines.
  // `log` leaves out a session's errors, which reach the client anyhow: their first line can quote a value, as in
  // `invalid input syntax for type bigint: "…"`. FATAL, PANIC and what the server does by itself remain.
  log_min_messages: 'log',
}

/** The arguments of `postgres`, without the port: equal arguments mean an equally configured server. */
export function settingArguments(settings: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries({ ...fixedSettings, ...settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}
