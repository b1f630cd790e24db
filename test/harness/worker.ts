import { createInterface } from 'node:readline'
import type { Database } from '#kernel/database'
import { type AppSettings, openApp, openDatabases } from './app.ts'

// The platform's loops as a process of its own, so that it can be killed, stopped and continued: started by
// processes.ts with its settings as JSON. It ends with its standard input, so never outlives who started it. A line of
// input names a statement: the process stops itself, as by SIGSTOP, in the next transaction that has run it.

const { url, accounts, process: name }: AppSettings = JSON.parse(process.argv[2] ?? '{}')
const endings: (() => Promise<void>)[] = []
let lastStatement: string | undefined
const own = url === undefined ? undefined : openDatabases(url)
const worker = await openApp(
  { after: (work) => void endings.push(work) },
  {
    ...(url ? { url } : {}),
    ...(accounts ? { accounts } : {}),
    ...(name ? { process: name } : {}),
    ...(own ? { databases: { work: freezing(own.work) } } : {}),
  },
)
await worker.start()
process.stdout.write('ready\n')

createInterface({ input: process.stdin })
  .on('line', (statement) => {
    lastStatement = statement
  })
  .once('close', () => void end())

function freezing(database: Database): Database {
  return {
    ...database,
    transaction: (options, work) =>
      database.transaction(options, (tx) =>
        work({
          ...tx,
          async query(statement, values) {
            const rows = await tx.query(statement, values)
            if (statement.name === lastStatement) freeze()
            return rows as never
          },
        }),
      ),
  }
}

function freeze(): void {
  lastStatement = undefined
  process.stdout.write('frozen\n')
  process.kill(process.pid, 'SIGSTOP')
}

async function end(): Promise<void> {
  for (const ending of endings) await ending()
  process.exit(0)
}
