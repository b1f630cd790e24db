import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '#kernel/config'
import { type InspectedFile, inspectSpool } from '#spool'
import { masterKeyIn } from './account-secrets.ts'
import type { Command } from './command.ts'
import { table } from './help.ts'
import { spoolDirectory } from './spool-directory.ts'

export const spoolStatus: Command = {
  name: 'spool status',
  summary: 'Show what waits on the disk for the log',
  details: [
    'Works whether or not the platform and the database run, and changes nothing. 1 where something was set aside.',
    'Set aside is what could not be read (damaged, missing, torn_tail, damaged_file) or what the log refused (refused).',
  ],
  async run(call) {
    const config = await loadConfig(call)
    const directory = spoolDirectory(config)
    // A key that is not there is not made: this only looks.
    const masterKey = existsSync(join(config.dataDir, 'master.key')) ? await masterKeyIn(config) : undefined
    const files = inspectSpool(directory, masterKey)
    const rows = files.map(rowOf)
    const head = ['FILE', 'PROCESS', 'REQUESTS', 'BYTES', 'OLDEST', 'SET ASIDE']
    for (const line of rows.length > 0 ? table([head, ...rows], '') : []) call.print(line)
    for (const line of verdict(files, directory)) call.print(line)
    return files.some(isDamaged) ? 1 : 0
  },
}

function rowOf(file: InspectedFile): string[] {
  const { name, isHeld, rows, bytes, oldestAt, asides } = file
  const oldest = oldestAt === null ? '-' : new Date(oldestAt).toISOString()
  const aside = file.isUnreadable ? 'all of it' : [...new Set(asides.map(({ reason }) => reason))].join(', ')
  return [name, isHeld ? 'lives' : 'ended', String(rows), String(bytes), oldest, aside || '-']
}

function verdict(files: readonly InspectedFile[], directory: string): string[] {
  const waiting = files.reduce((sum, { rows }) => sum + rows, 0)
  const left = files.filter(({ isHeld, rows }) => !isHeld && rows > 0).length
  return [
    waiting === 0 ? 'Nothing waits.' : `${waiting} requests and webhooks wait for the log.`,
    ...(left > 0
      ? ['What processes left that have ended is drained by the next that starts, or by one that runs.']
      : []),
    ...(files.some(isDamaged)
      ? [`Something was set aside in ${directory}: keep these files, and see docs/runbook.md.`]
      : []),
  ]
}

function isDamaged({ isUnreadable, asides }: InspectedFile): boolean {
  return isUnreadable || asides.length > 0
}
