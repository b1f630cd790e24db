import { UsageError } from '#kernel/errors'
import type { SecretStore } from '#secrets'
import { masterKeyIn, secretStore } from './account-secrets.ts'
import type { Call, Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { table } from './help.ts'
import { readValue } from './secret-input.ts'

export const set: Command = {
  name: 'secret set',
  summary: 'Keep a secret sealed under a name, for the configuration to refer to',
  arguments: 'NAME',
  details: [
    'The value is read from standard input, or asked for without showing it: never from the arguments, which others can read.',
    "millrace.config.ts says { secret: 'NAME' } in its place. What is set anew is used from the next start on.",
  ],
  async run(call) {
    const name = nameOf(call)
    const value = await readValue(name, { input: process.stdin, output: process.stderr })
    await withSecretStore(call, (store) => store.set(name, value))
    call.print(`${name} is set. It is used from the next start on.`)
    return 0
  },
}

export const list: Command = {
  name: 'secret list',
  summary: 'Show the names of the secrets that are set, and since when; never the secrets',
  run: (call) =>
    withSecretStore(call, async (store) => {
      const rows = (await store.list()).map(({ name, setAt }) => [name, setAt.toISOString()])
      for (const line of table([['NAME', 'SET'], ...rows], '')) call.print(line)
      return 0
    }),
}

export const remove: Command = {
  name: 'secret remove',
  summary: 'Make a secret unreadable, for good',
  arguments: 'NAME',
  async run(call) {
    const name = nameOf(call)
    if (await withSecretStore(call, (store) => store.remove(name))) {
      call.print(`${name} is removed. What is running goes on with it until it is stopped.`)
      return 0
    }
    call.warn(`No secret is set under ${name}. See: millrace secret list`)
    return 1
  },
}

/** Before the first start too: what the configuration refers to has to be there by then. */
function withSecretStore<T>(call: Call, work: (store: SecretStore) => Promise<T>): Promise<T> {
  return withDatabase(
    call,
    async (database, config) => work(await secretStore(database, await masterKeyIn(config))),
    'make what is missing',
  )
}

function nameOf(call: Call): string {
  const [name = ''] = call.arguments
  if (/^[A-Za-z0-9_-]{1,64}$/.test(name)) return name
  throw new UsageError('NAME must be up to 64 letters, digits, _ and -.')
}
