import { UsageError } from '#kernel/errors'
import { StartFailure, stopHeldServers } from '#kernel/postgres/start'
import { type Command, findCommand, readCall, unknownCommand } from './command.ts'
import { commands } from './commands.ts'
import { explainDatabase } from './database-failure.ts'
import { helpOf, helpOfAll } from './help.ts'
import { version } from './version.ts'

// A command that ends out of turn, at a second Ctrl-C or in the middle of `| head`, leaves no PostgreSQL behind.
process.once('exit', stopHeldServers)

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  // Whoever reads us may have had enough, as `head` has.
  process.stdout.on('error', () => process.exit(0))
  try {
    return await dispatch(args)
  } catch (error) {
    return fail(explainDatabase(error))
  }
}

async function dispatch(args: readonly string[]): Promise<number> {
  const [first] = args
  if (first === '--version' || first === '-v') return print(version())
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') return print(helpOfAll(commands))
  const found = findCommand(commands, args)
  if (found === undefined) return helpOfFamily(args) ?? fail(unknownCommand(commands, args))
  if (found.args.includes('--help') || found.args.includes('-h')) return print(helpOf(found.command))
  return found.command.run(readCall(found, { cwd: process.cwd(), env: process.env, print, warn }))
}

/** `millrace parked --help` is about all that begin so. */
function helpOfFamily(args: readonly string[]): number | undefined {
  const family = commands.filter(({ name }: Command) => name.startsWith(`${args[0]} `))
  if (family.length === 0 || !args.includes('--help')) return undefined
  return print(family.map(helpOf).join('\n\n'))
}

function fail(error: unknown): number {
  if (error instanceof UsageError || error instanceof StartFailure) {
    warn(error.message)
    return error instanceof UsageError ? 2 : 1
  }
  warn(`Something went wrong inside Millrace: ${error instanceof Error ? (error.stack ?? error.message) : 'no error'}`)
  return 1
}

function print(text: string): number {
  process.stdout.write(`${text}\n`)
  return 0
}

function warn(text: string): void {
  process.stderr.write(`${text}\n`)
}
