import { createInterface } from 'node:readline'
import { type AppSettings, openApp } from './app.ts'

// The platform's loops as a process of its own, so that it can be killed, stopped and continued: started by
// processes.ts with its settings as JSON. It ends with its standard input, so never outlives who started it.

const { url, accounts, process: name }: AppSettings = JSON.parse(process.argv[2] ?? '{}')
const endings: (() => Promise<void>)[] = []
const worker = await openApp(
  { after: (work) => void endings.push(work) },
  { ...(url ? { url } : {}), ...(accounts ? { accounts } : {}), ...(name ? { process: name } : {}) },
)
await worker.start()
process.stdout.write('ready\n')

createInterface({ input: process.stdin }).once('close', () => void end())

async function end(): Promise<void> {
  for (const ending of endings) await ending()
  process.exit(0)
}
