import type { Command } from './command.ts'

/** What `millrace --help` says. */
export function helpOfAll(commands: readonly Command[]): string {
  return [
    'millrace: a self-hosted, event-driven payments platform',
    '',
    'Usage: millrace COMMAND [OPTIONS]',
    '',
    'Commands:',
    ...table(commands.map(({ name, arguments: given = '', summary }) => [`${name} ${given}`.trim(), summary])),
    '',
    'Options:',
    ...table([
      ['--help', 'This help; with a command, its own'],
      ['--version', 'The version of Millrace'],
    ]),
    '',
    'Settings come from millrace.config.ts in the current directory and from the environment: DATABASE_URL,',
    'MILLRACE_PORT, MILLRACE_HOST, MILLRACE_DATA_DIR, MILLRACE_MODE, MILLRACE_LOG_LEVEL. See: millrace config',
    '',
    'Exit codes: 0 done, 1 could not be done or found something wrong, 2 called or configured wrongly.',
  ].join('\n')
}

export function helpOf({ name, summary, arguments: given = '', options = {}, details = [] }: Command): string {
  const entries = Object.entries(options)
  return [
    `millrace ${name}: ${summary}`,
    '',
    `Usage: millrace ${[name, given, entries.length > 0 ? '[OPTIONS]' : ''].filter(Boolean).join(' ')}`,
    ...(entries.length > 0
      ? [
          '',
          'Options:',
          ...table(entries.map(([option, { value = '', summary: about }]) => [`--${option} ${value}`.trim(), about])),
        ]
      : []),
    ...(details.length > 0 ? ['', ...details] : []),
  ].join('\n')
}

/** Rows in two or more columns, each as wide as its widest cell. */
export function table(rows: readonly (readonly string[])[], indent = '  '): string[] {
  const widths = rows.reduce<number[]>(
    (known, row) => row.map((cell, column) => Math.max(known[column] ?? 0, cell.length)),
    [],
  )
  return rows.map((row) =>
    `${indent}${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd(),
  )
}
