import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..')

/** Not ours, or made by running: what `.gitignore` names. */
const ignored = /^(?:node_modules|\.git|\.millrace|dist)$|\.tgz$/

/** Every file of the repository, by its path from the root. */
export const paths: readonly string[] = filesUnder('').sort()

export type Source = { readonly path: string; readonly text: string }

/** The files whose path fits, with their text. */
export function sources(fits: RegExp): Source[] {
  return paths.filter((path) => fits.test(path)).map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

export function sizeOf(path: string): number {
  return statSync(join(root, path)).size
}

export type Import = { readonly path: string; readonly line: number; readonly from: string; readonly isType: boolean }

const fromClause =
  /^(?:import|export)\s+(type\s+)?(?:\{[^}]*\}|\*(?:\s+as\s+\w+)?|\w+(?:\s*,\s*\{[^}]*\})?)\s+from\s+'([^']+)'/gm
const bareImport = /(?:^import\s+|\bimport\()'([^']+)'/gm

/** What a file takes from elsewhere: imports, imports for their effect or at run time, and what it passes on. */
export function importsOf({ path, text }: Source): Import[] {
  const named = [...text.matchAll(fromClause)].map(({ 1: type, 2: from = '', index }) => ({
    from,
    index,
    isType: !!type,
  }))
  const bare = [...text.matchAll(bareImport)].map(({ 1: from = '', index }) => ({ from, index, isType: false }))
  return [...named, ...bare].map(({ from, index, isType }) => ({ path, line: lineOf(text, index), from, isType }))
}

/** `file:line` of everything in these files that the pattern finds. */
export function places(files: readonly Source[], pattern: RegExp): string[] {
  return files.flatMap(({ path, text }) =>
    [...text.matchAll(pattern)].map(({ index, 0: found }) => `${path}:${lineOf(text, index)} ${found.trim()}`),
  )
}

/**
 * What is found but for the files that are excepted, each with its reason. An exception that nothing was found for is
 * reported as well: it would hide the next one.
 */
export function excepting(found: readonly string[], reasons: Readonly<Record<string, string>>): string[] {
  const fileOf = (place: string): string => place.split(':', 1)[0] ?? ''
  const needed = new Set(found.map(fileOf))
  const stale = Object.keys(reasons).filter((path) => !needed.has(path))
  const left = found.filter((place) => !Object.hasOwn(reasons, fileOf(place)))
  return [...left, ...stale.map((path) => `${path} is excepted and need not be`)]
}

/** Beside the code, but for tests: suites that every engine runs, and generators. */
export function isTestSupport(path: string): boolean {
  return path.startsWith('src/log/conformance') || path === 'src/payments/generated-lineages.ts'
}

export function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

function filesUnder(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !ignored.test(name))
    .flatMap((entry) => (entry.isDirectory() ? filesUnder(join(folder, entry.name)) : [join(folder, entry.name)]))
}
