import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

const program = join(import.meta.dirname, '../../src/cli/main.ts')

const { PATH, NODE_COMPILE_CACHE } = process.env
/** What a command of a test has of our environment: nothing that could be a setting. */
export const commandEnv = { PATH, ...(NODE_COMPILE_CACHE ? { NODE_COMPILE_CACHE } : {}) }

export type MillraceProcess = {
  readonly child: ChildProcess
  out(): string
  err(): string
  /** Its exit code; null where a signal ended it. */
  readonly ended: Promise<number | null>
  /** Where `millrace start` says it is ready; empty before. */
  url(): string
}

/** `millrace` with arguments in a directory, with the settings as its whole environment; killed when the test ends. */
export function runMillrace(
  t: TestContext,
  { cwd, args, settings }: { cwd: string; args: readonly string[]; settings: Readonly<Record<string, string>> },
): MillraceProcess {
  const env = { ...commandEnv, ...settings }
  const child = spawn(process.execPath, [program, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  const text = { out: '', err: '' }
  child.stdout.on('data', (data) => {
    text.out += data
  })
  child.stderr.on('data', (data) => {
    text.err += data
  })
  return {
    child,
    out: () => text.out,
    err: () => text.err,
    ended: once(child, 'close').then(([code]) => code),
    url: () => /ready: (\S+)/.exec(text.out)?.[1] ?? '',
  }
}
