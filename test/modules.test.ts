import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { type Import, importsOf, isTestSupport, paths, places, sources } from './repository.ts'

// The rules between modules. A rule has no exceptions but those it lists, each with its reason.

const FACE_NAMES_MAX = 15
/** The log is what every module is written in; its face has five parts: to declare, to run, to look, to follow, and to keep. */
const LOG_FACE_NAMES_MAX = 5 * FACE_NAMES_MAX

const code = sources(/^src\/.*\.ts$/)
const imports = code.flatMap(importsOf)
const faces = code.filter(({ path }) => path.endsWith('/index.ts'))

test('within a module files name each other by ./, and nothing climbs', () => {
  none(imports.filter(({ from }) => from.startsWith('../')))
})

test('no file reaches into another module past its face', () => {
  none(imports.filter(({ path, from }) => from.startsWith('./') && !staysInside(path, from)))
})

test('of another module only types of its events are imported; the app, the server and the commands alone see faces', () => {
  none(imports.filter((one) => !mayImport(one)))
})

test('the kernel is a leaf, the log stands on it alone, and deliveries and the spool on both', () => {
  const allowed = new Map([
    ['kernel', /^#kernel\//],
    ['log', /^#(?:kernel\/|log$)/],
    ['delivery', /^#(?:kernel\/|log$|delivery$)/],
    ['spool', /^#(?:kernel\/|log$|spool$)/],
  ])
  const outward = imports.filter(({ from }) => from.startsWith('#') && !from.startsWith('#harness/'))
  none(outward.filter(({ path, from }) => allowed.get(moduleOf(path))?.test(from) === false))
})

test('what is shipped does not need what tests need', () => {
  const shipped = imports.filter(({ path }) => !path.endsWith('.test.ts') && !isTestSupport(path))
  const forTests = /^(?:#harness\/|node:test$|node:assert|fast-check$|stripe$)|\.test\.ts$|\/generated-|\/conformance/
  none(shipped.filter(({ from }) => forTests.test(from)))
})

test('modules do not go round in a circle', () => {
  assert.deepEqual(circleIn(neighbours()), [])
})

test('a face names what it offers', () => {
  assert.deepEqual(places(faces, /^export \* .*$/gm), [])
})

test(`a face offers at most ${FACE_NAMES_MAX} names`, () => {
  const counts = faces.map(({ path, text }) => ({ path, names: namesOffered(text).length }))
  const wide = counts.filter(
    ({ path, names }) => names > (path === 'src/log/index.ts' ? LOG_FACE_NAMES_MAX : FACE_NAMES_MAX),
  )
  assert.deepEqual(wide, [])
})

test('every module says in a README what it owns', () => {
  const folders = new Set([...faces.map(({ path }) => dirname(path)), 'src/kernel', 'src/cli', 'test/simulation'])
  folders.delete('src/cli/demo') // A command that fills a folder, not a module.
  const silent = [...folders].filter((folder) => !paths.includes(`${folder}/README.md`))
  assert.deepEqual(silent, [])
})

function mayImport({ path, from, isType }: Import): boolean {
  const own = moduleOf(path)
  const named = moduleNamed(from)
  if (named === '' || named === 'kernel' || named === own) return true
  if (named === 'harness') return path.endsWith('.test.ts') || isTestSupport(path)
  if (named === 'log' || named === 'delivery') return own !== 'kernel'
  return own === 'joined' || (isType && from === `#${named}/events`)
}

/** Only what joins the modules names a folder under `src` by path, and then one of its own. */
function staysInside(path: string, from: string): boolean {
  const [folder = ''] = from.slice(2).split('/')
  return dirname(path) !== 'src' || !from.slice(2).includes('/') || ['cli', 'http'].includes(folder)
}

/** The module a file belongs to; `joined` for those that know all of them. */
function moduleOf(path: string): string {
  const [, folder = ''] = /^src\/([^/]+)\//.exec(path) ?? []
  return folder === '' || folder === 'cli' || folder === 'http' ? 'joined' : folder
}

/** As in `#payments/events`; empty for a path or a package. */
function moduleNamed(from: string): string {
  const [, named = ''] = /^#([^/]+)/.exec(from) ?? []
  return ['app', 'cli', 'http'].includes(named) ? 'joined' : named
}

function neighbours(): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>()
  for (const { path, from } of imports.filter(({ path }) => !path.endsWith('.test.ts'))) {
    const [own, named] = [moduleOf(path), moduleNamed(from)]
    if (named !== '' && named !== own && named !== 'harness') graph.set(own, (graph.get(own) ?? new Set()).add(named))
  }
  return graph
}

/** The first way found that leads back to where it has been. */
function circleIn(graph: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const follow = (way: readonly string[]): string[] => {
    const here = way.at(-1) ?? ''
    if (way.indexOf(here) < way.length - 1) return [...way]
    return firstOf(graph.get(here) ?? [], (next) => follow([...way, next]))
  }
  return firstOf(graph.keys(), (start) => follow([start]))
}

function firstOf(names: Iterable<string>, look: (name: string) => string[]): string[] {
  for (const name of names) {
    const found = look(name)
    if (found.length > 0) return found
  }
  return []
}

function namesOffered(face: string): string[] {
  const lists = [...face.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(({ 1: list = '' }) => list.split(','))
  const declared = [...face.matchAll(/^export (?:async )?(?:const|function|class|type|interface) (\w+)/gm)]
  return [...lists.map((name) => name.trim()), ...declared.map(({ 1: name = '' }) => name)].filter(Boolean)
}

function none(found: readonly Import[]): void {
  assert.deepEqual(
    found.map(({ path, line, from }) => `${path}:${line} ${from}`),
    [],
  )
}
