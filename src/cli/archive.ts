import { hostname } from 'node:os'
import { systemClock } from '#kernel/clock'
import { type Config, loadConfig } from '#kernel/config'
import { UsageError } from '#kernel/errors'
import { systemRandom } from '#kernel/random'
import { type ArchiveSettings, archiveOnce } from '#log'
import { type Archive, createArchive, listSegments, verifyArchive } from '#log/archive'
import type { Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { table } from './help.ts'

export const DAY_MS = 24 * 60 * 60_000

/** What the configuration says of archiving; undefined when it names no directory. */
export function archivingOf({ archive, retention }: Config): ArchiveSettings | undefined {
  if (archive.dir === undefined) return undefined
  const { days } = retention
  return {
    archive: createArchive(archive.dir, systemRandom),
    ...(days === undefined ? {} : { retentionMs: days * DAY_MS }),
  }
}

export const archive: Command = {
  name: 'archive',
  summary: 'Archive what is closed, and drop from the log what is archived and old',
  options: { all: { type: 'boolean', summary: 'Close every segment that has an event' } },
  details: [
    'A segment is closed at 16,384 events or 16 MB, or when its first event is a day old. Dropped is what is older than',
    'retention.days; without it nothing is. Safe to break off and to repeat. A running platform with an archive.dir does',
    'all of it by itself.',
  ],
  async run(call) {
    const settings = archivingNamed(await loadConfig(call))
    await settings.archive.open()
    return withDatabase(call, async (database) => {
      let [isBusy, problems] = [false, 0]
      const process_ = `${hostname()}-${process.pid}-${systemRandom.bytes(4).toString('hex')}`
      const once = { ...settings, database, clock: systemClock, process: process_, all: call.isSet('all') }
      const warn = (problem: string): void => {
        problems++
        call.warn(`warning: ${problem}`)
      }
      const counts = { archived: 0, dropped: 0, restored: 0 }
      for await (const kept of archiveOnce({ ...once, warn }, () => {
        isBusy = true
      })) {
        const { done, topic, partition, firstOffset, endOffset } = kept
        counts[done]++
        call.print(`${done} ${topic}/${partition} ${firstOffset}–${endOffset - 1n}`)
      }
      if (isBusy) {
        call.warn('A running platform archives by itself. See: millrace archive list')
        return 0
      }
      const { archived, dropped, restored } = counts
      call.print(`Segments archived: ${archived}, dropped from the log: ${dropped}, brought back to it: ${restored}.`)
      return problems > 0 ? 1 : 0
    })
  },
}

export const list: Command = {
  name: 'archive list',
  summary: 'Show the segments of the archive, and which of them the log still has',
  options: { topic: { type: 'string', value: 'TOPIC', summary: 'Only of this topic' } },
  run: (call) =>
    withDatabase(call, async (database) => {
      const topic = call.text('topic')
      const segments = (await listSegments(database)).filter(
        (segment) => topic === undefined || segment.topic === topic,
      )
      if (segments.length === 0) call.print('Nothing is archived.')
      const rows = segments.map((segment) => [
        `${segment.topic}/${segment.partition}`,
        `${segment.first_offset}–${segment.end_offset - 1n}`,
        segment.first_time.toISOString(),
        segment.last_time.toISOString(),
        String(segment.bytes),
        segment.state,
        segment.file,
      ])
      const head = ['PARTITION', 'OFFSETS', 'FROM', 'UNTIL', 'BYTES', 'ON THE LOG', 'FILE']
      for (const line of rows.length > 0 ? table([head, ...rows], '') : []) call.print(line)
      return 0
    }),
}

export const verify: Command = {
  name: 'archive verify',
  summary: 'Read the whole archive, and check every file, event and checksum',
  async run(call) {
    const settings = archivingNamed(await loadConfig(call))
    return withDatabase(call, async (database) => {
      const { segments, events, bytes, findings, strangers } = await verifyArchive(database, settings.archive)
      for (const finding of findings) call.print(`wrong: ${finding}`)
      for (const file of strangers) call.warn(`warning: no segment names ${file}`)
      const checked = `${segments} segments, ${events} events, ${bytes} bytes`
      call.print(findings.length > 0 ? `${findings.length} findings in ${checked}.` : `All is well: ${checked}.`)
      return findings.length > 0 ? 1 : 0
    })
  },
}

/** The archive for whoever reads of it, where there is one. */
export function archiveOf(config: Config): Archive | undefined {
  return archivingOf(config)?.archive
}

function archivingNamed(config: Config): ArchiveSettings {
  const settings = archivingOf(config)
  if (settings) return settings
  throw new UsageError('There is no archive: set archive.dir or MILLRACE_ARCHIVE_DIR to a directory for it.')
}
