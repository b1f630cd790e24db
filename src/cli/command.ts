import { parseArgs } from 'node:util'
import { UsageError } from '#kernel/errors'
import { nearest } from '#kernel/nearest'

export type Option = { readonly type: 'string' | 'boolean'; readonly value?: string; readonly summary: string }

/** A call of a command, checked: options are known and have values, arguments are as many as it takes. */
export type Call = {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly arguments: readonly string[]
  /** The last that was given. */
  text(option: string): string | undefined
  /** All that were given, for an option that may be repeated. */
  texts(option: string): readonly string[]
  isSet(option: string): boolean
  print(line: string): void
  warn(line: string): void
}

export type Command = {
  readonly name: string
  readonly summary: string
  /** As in `GROUP KEY`; in brackets what may be left out. */
  readonly arguments?: string
  readonly options?: Readonly<Record<string, Option>>
  /** Further lines of its help. */
  readonly details?: readonly string[]
  /** Resolves with the exit code. */
  run(call: Call): Promise<number>
}

export type Invocation = { readonly command: Command; readonly args: readonly string[] }

/** The command that the arguments begin with, by its longest name; undefined for none. */
export function findCommand(commands: readonly Command[], args: readonly string[]): Invocation | undefined {
  for (const words of [2, 1]) {
    const name = args.slice(0, words).join(' ')
    const command = commands.find((candidate) => candidate.name === name)
    if (command) return { command, args: args.slice(words) }
  }
  return undefined
}

export function unknownCommand(commands: readonly Command[], args: readonly string[]): UsageError {
  const [first = ''] = args
  const family = commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name)
  if (family.length > 0) return new UsageError(`millrace ${first} is one of: ${family.join(', ')}.`)
  const names = commands.map(({ name }) => name)
  const words = [...new Set(names.flatMap((name) => [name, name.split(' ')[0] ?? name]))]
  const near = nearest(args.slice(0, 2).join(' '), names) ?? nearest(first, words)
  const hint = near === undefined ? 'See: millrace --help' : `Did you mean ${near}?`
  return new UsageError(`${first} is not a command. ${hint}`)
}

type World = Pick<Call, 'cwd' | 'env' | 'print' | 'warn'>

/** @throws UsageError, one line, for an option or argument that the command does not take. */
export function readCall({ command, args }: Invocation, world: World): Call {
  const known = command.options ?? {}
  const { tokens, positionals } = parseArgs({
    args: [...args],
    options: Object.fromEntries(Object.entries(known).map(([name, { type }]) => [name, { type }])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const values = new Map<string, string[]>()
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    values.set(token.name, [...(values.get(token.name) ?? []), valueGiven(token, command, known)])
  }
  checkArguments(command, positionals)
  return {
    ...world,
    arguments: positionals,
    text: (option) => values.get(option)?.at(-1),
    texts: (option) => values.get(option) ?? [],
    isSet: (option) => values.has(option),
  }
}

type OptionToken = { name: string; rawName: string; value: string | undefined; inlineValue: boolean | undefined }

function valueGiven(
  { name, rawName, value, inlineValue }: OptionToken,
  command: Command,
  known: Record<string, Option>,
): string {
  const option = Object.hasOwn(known, name) ? known[name] : undefined
  if (!option) {
    const near = nearest(name, Object.keys(known))
    const hint = near === undefined ? `See: millrace ${command.name} --help` : `Did you mean --${near}?`
    throw new UsageError(`${rawName} is not an option of millrace ${command.name}. ${hint}`)
  }
  if (option.type === 'boolean') {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value.`)
    return ''
  }
  if (value === undefined || value === '' || (!inlineValue && value.startsWith('-'))) {
    throw new UsageError(`${rawName} needs a value: ${rawName} ${option.value ?? 'VALUE'}.`)
  }
  return value
}

function checkArguments(command: Command, given: readonly string[]): void {
  const wanted = (command.arguments ?? '').split(' ').filter((word) => word !== '')
  const required = wanted.filter((word) => !word.startsWith('[')).length
  if (given.length >= required && given.length <= wanted.length) return
  const usage = `millrace ${[command.name, ...wanted].join(' ')}`
  throw new UsageError(
    given.length > wanted.length
      ? `millrace ${command.name} takes ${wanted.length === 0 ? 'no arguments' : `at most ${wanted.length}`}. Usage: ${usage}`
      : `${wanted[given.length]} is missing. Usage: ${usage}`,
  )
}

/** A number given as text, or the fallback. */
export function wholeNumber(
  call: Call,
  option: string,
  fallback: number,
  bounds: { min: number; max: number },
): number {
  const text = call.text(option)
  if (text === undefined) return fallback
  const number = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (number >= bounds.min && number <= bounds.max) return number
  throw new UsageError(`--${option} must be a whole number from ${bounds.min} to ${bounds.max}.`)
}
