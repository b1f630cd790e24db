import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createModules } from '#app'
import type { Finding } from './audit/evidence.ts'
import { found } from './audit/found.ts'
import type { World } from './world.ts'

const main = join(import.meta.dirname, '../../src/cli/main.ts')

/** As replay knows them: module and projection. */
const projections = createModules([], { digest: () => '' }).flatMap(({ name, projections: own = [] }) =>
  own.map((one) => `${name}.${one.name}`),
)

const questions: readonly (readonly [promise: string, ...args: string[]])[] = [
  ['Balanced', 'verify'],
  ...projections.map((name) => ['Replayable', 'replay', name, '--compare'] as const),
  ['Accepted is durable', 'spool', 'status'],
  ['Accepted is durable', 'archive', 'verify'],
]

/** What an operator would ask, each with an exit code. */
export async function askCommands(world: World): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const [promise, ...args] of questions) findings.push(...(await ask(promise, args, world)))
  return findings
}

async function ask(promise: string, args: readonly string[], { server, dataDir, nodes }: World): Promise<Finding[]> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('MILLRACE_'))
  const child = spawn(process.execPath, [main, ...args], {
    cwd: nodes[0]?.process.directory,
    env: { ...Object.fromEntries(inherited), DATABASE_URL: server.url, MILLRACE_DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
  const [code] = await once(child, 'close')
  return code === 0
    ? []
    : found(promise, `millrace ${args.join(' ')} ended with ${code}`, [output.trim().slice(-2_000)])
}
