import { readdirSync } from 'node:fs'
import { join } from 'node:path'

export type Selection = { files: string[]; skippedCorpus: number; timeoutMs: number }

type Suite = { has: (file: string) => boolean; timeoutMs: number }

const isSlow = (file: string): boolean => /^test\/(full|corpus|simulation|chaos|console)\//.test(file)

/** What runs when no suite is named: all that needs neither long nor anything a bare machine lacks. */
const everyday: Suite = { has: (file) => !isSlow(file), timeoutMs: 300_000 }

/** The limit is a file's: one that hangs fails by name, long before the machine's patience ends. */
const suites: Readonly<Record<string, Suite>> = {
  unit: { has: (file) => file.startsWith('src/'), timeoutMs: 120_000 },
  log: { has: (file) => /^src\/log\/[^/]+$/.test(file), timeoutMs: 300_000 },
  full: { has: (file) => /^test\/(full|corpus|simulation)\//.test(file), timeoutMs: 3_600_000 },
}

/** The test files that the arguments ask for: a suite's name, then parts of file names of which one must fit. */
export function selectTests(args: readonly string[], files: readonly string[], hasCorpus: boolean): Selection {
  const [name = '', ...rest] = args
  const suite = Object.hasOwn(suites, name) ? suites[name] : undefined
  const { has, timeoutMs } = suite ?? everyday
  const parts = suite ? rest : args
  const asked = files.filter((file) => has(file) && (parts.length === 0 || parts.some((part) => file.includes(part))))
  const runnable = asked.filter((file) => hasCorpus || !file.startsWith('test/corpus/'))
  return { files: runnable, skippedCorpus: asked.length - runnable.length, timeoutMs }
}

/** Every test file of the project, by its path from the root. */
export function findTests(root: string): string[] {
  const found = ['src', 'test'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  )
  return found.filter((file) => file.endsWith('.test.ts')).sort()
}
