import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../repository.ts'
import { temporaryDirectory } from './directory.ts'

type Ending = { after(work: () => Promise<void>): void }

const execute = promisify(execFile)

/** What a package is made of: the manifest says which part of it is sent. */
const SOURCES = ['bin', 'scripts', 'src', 'package.json', 'README.md', 'CHANGELOG.md', 'LICENSE']

/** The latest tagged release before the version of this checkout, else the commit, where this clone has either. */
export async function previousRelease(commit: string): Promise<string | undefined> {
  const { version }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  try {
    const { stdout } = await git('tag', '--list', 'v*', '--merged', 'HEAD', '--sort=-v:refname')
    const tag = stdout.split('\n').find((name) => name !== '' && name !== `v${version}`)
    if (tag !== undefined) return tag
    await git('cat-file', '-e', `${commit}^{tree}`)
    return commit
  } catch {
    return undefined
  }
}

/** The launcher of a release as its package has it, with the dependencies of this checkout. */
export async function installRelease(t: Ending, release: string): Promise<string> {
  return installPacked(t, async (folder) => {
    const archive = join(folder, '../release.tar')
    await git('archive', '--output', archive, release)
    await execute('tar', ['-xf', archive, '-C', folder])
  })
}

/** The same of this checkout as it stands. */
export function installCheckout(t: Ending): Promise<string> {
  return installPacked(t, async (folder) => {
    for (const name of SOURCES) cpSync(join(root, name), join(folder, name), { recursive: true })
  })
}

async function installPacked(t: Ending, fill: (folder: string) => Promise<void>): Promise<string> {
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  const folder = join(directory.path, 'checkout')
  mkdirSync(folder)
  await fill(folder)
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const { stdout } = await execute('npm', ['pack', '--json', '--pack-destination', directory.path], { cwd: folder })
  const [{ filename } = { filename: '' }]: { filename: string }[] = JSON.parse(stdout)
  await execute('tar', ['-xzf', join(directory.path, filename), '-C', directory.path])
  symlinkSync(join(root, 'node_modules'), join(directory.path, 'package/node_modules'))
  return join(directory.path, 'package/bin/millrace.js')
}

function git(...args: string[]): Promise<{ stdout: string }> {
  return execute('git', ['-C', root, ...args])
}
