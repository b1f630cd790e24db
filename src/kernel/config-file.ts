import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from './errors.ts'

const name = 'millrace.config.ts'

/** What `millrace.config.ts` exports by default, unchecked; no settings where there is no such file. */
export async function readConfigFile(cwd: string): Promise<unknown> {
  const path = join(cwd, name)
  if (!(await isThere(path))) return {}
  const loaded = await load(path)
  if (!('default' in loaded)) throw new UsageError(`${name} must have a default export: an object of settings.`)
  return loaded.default
}

async function load(path: string): Promise<object> {
  try {
    const loaded: object = await import(pathToFileURL(path).href)
    return loaded
  } catch (error) {
    // Neither message nor cause goes on: they quote the source, and the source holds secrets.
    const kind = error instanceof Error ? error.name : 'something that is not an error'
    throw new UsageError(`${name} cannot be loaded (${kind}); to see where, run: node ${name}`)
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw new UsageError(`${name} cannot be read by this user.`)
  }
}
