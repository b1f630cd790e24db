import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from './errors.ts'

/** The second is for a folder whose package.json says `commonjs`: Node would not read the first as a module there. */
const names = ['millrace.config.ts', 'millrace.config.mts'] as const

export type ConfigFile = { readonly name: string; readonly settings: unknown }

/** What the configuration in the folder exports by default, unchecked; no settings where there is none. */
export async function readConfigFile(cwd: string): Promise<ConfigFile> {
  const [first, second] = await Promise.all(names.map((name) => isThere(cwd, name)))
  if (first && second) throw new UsageError(`There are both ${names.join(' and ')}: remove one.`)
  const name = second ? names[1] : names[0]
  return { name, settings: first || second ? await load(cwd, name) : {} }
}

async function load(cwd: string, name: string): Promise<unknown> {
  const loaded = await importFile(cwd, name)
  if ('default' in loaded) return loaded.default
  throw new UsageError(`${name} must have a default export: an object of settings.`)
}

async function importFile(cwd: string, name: string): Promise<object> {
  try {
    const loaded: object = await import(pathToFileURL(join(cwd, name)).href)
    return loaded
  } catch (error) {
    // Neither message nor cause goes on: they quote the source, and the source holds secrets.
    const kind = error instanceof Error ? error.name : 'something that is not an error'
    throw new UsageError(`${name} cannot be loaded (${kind}); to see where, run: node ${name}`)
  }
}

async function isThere(cwd: string, name: string): Promise<boolean> {
  try {
    await access(join(cwd, name))
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw new UsageError(`${name} cannot be read by this user.`)
  }
}
