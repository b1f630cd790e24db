// Makes dist/, what the package runs: `npm pack` and `npm publish` call it first. Node strips no types below node_modules, so
// they are blanked out here, and where they stand: a line and column of dist/ are those of src/. Only what the commands
// reach goes along, so that no list has to name what stays at home. Runs on the pinned runtime: see run.js.
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { isBuiltin, stripTypeScriptTypes } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = join(import.meta.dirname, '..')
const [source, made] = [join(root, 'src'), join(root, 'dist')]
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

// That stripping is called experimental says nothing new: the runtime is pinned.
process.removeAllListeners('warning')

rmSync(made, { recursive: true, force: true })
compileFrom(join(source, 'cli/main.ts'))
write('package.json', `${JSON.stringify({ type: 'module', imports: compiledImports() }, null, 2)}\n`)

/** The file and all that it reaches. */
function compileFrom(entry) {
  const seen = new Set([entry])
  for (const path of seen) {
    const code = stripTypeScriptTypes(readFileSync(path, 'utf8'))
    // As long as before: columns stay true.
    write(compiledName(relative(source, path)), code.replace(/'(\.\/[^'\n]+)\.ts'/g, "'$1.js'"))
    for (const reached of [...modulesOf(code, path), ...assetsOf(code, path)]) seen.add(reached)
  }
}

/** TypeScript files that the code imports. Packages it imports have to come along without those for development. */
function modulesOf(code, path) {
  const clauses = [
    /^(?:import|export)\s+(?:\{[^}]*\}|\*(?:\s+as\s+\w+)?|\w+(?:\s*,\s*\{[^}]*\})?)\s+from\s+'([^']+)'/gm,
    /(?:^import\s+|\bimport\()'([^']+)'/gm,
  ]
  const names = clauses.flatMap((clause) => [...code.matchAll(clause)].map(([, name]) => name))
  return names.filter((name) => !isPackage(name, path)).map((name) => resolve(name, path))
}

function isPackage(name, path) {
  if (isBuiltin(name)) return true
  if (/^[.#]/.test(name)) return false
  const [packageName] = /^(?:@[^/]+\/)?[^/]+/.exec(name)
  if (packageName in manifest.dependencies) return true
  throw new Error(`${relative(root, path)} imports ${name}, which is not in the package's dependencies`)
}

function resolve(name, path) {
  const url = name.startsWith('#') ? import.meta.resolve(name) : new URL(name, pathToFileURL(path))
  const found = fileURLToPath(url)
  if (!relative(source, found).startsWith('..')) return found
  throw new Error(`${relative(root, path)} imports ${name}, which is outside src`)
}

/** Folders and files that the code names beside itself are copied; code among them is compiled. */
function assetsOf(code, path) {
  if (/\bimport\.meta\.(?:dirname|filename)\b/.test(code)) {
    throw new Error(
      `${relative(root, path)} must name files as new URL('./…', import.meta.url): others are not seen here`,
    )
  }
  const named = [...code.matchAll(/new URL\('(\.\/[^']+)',\s*import\.meta\.url\)/g)].map(([, name]) =>
    resolve(name, path),
  )
  const isCode = (file) => statSync(file).isFile() && file.endsWith('.ts')
  for (const asset of named.filter((file) => !isCode(file))) {
    cpSync(asset, join(made, relative(source, asset)), { recursive: true })
  }
  return named.filter(isCode)
}

/** The manifest's own `imports`, for the nearest package.json of what was compiled: the checkout's stays as it is. */
function compiledImports() {
  const own = Object.entries(manifest.imports).filter(([, target]) => target.startsWith('./src/'))
  return Object.fromEntries(own.map(([name, target]) => [name, compiledName(target.replace('./src/', './'))]))
}

function compiledName(path) {
  return path.replace(/\.ts$/, '.js')
}

function write(path, text) {
  const file = join(made, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}
