export { archiveOnce } from './archive-once.ts'
export { archivedEventsNamed, archivedSegments, isArchived } from './archived-events.ts'
export type { ArchiveSettings } from './archiver.ts'
export { asyncApiOf } from './asyncapi.ts'
export {
  type BrowsedEvent,
  eventsAfter,
  eventsNamed,
  eventsOfKey,
  gaps,
  type Lag,
  lagOfGroups,
  listTimers,
  positionBeforeLast,
} from './browse.ts'
export { toCloudEvent, withoutSealed } from './cloud-event.ts'
export { EventInvalid } from './codec.ts'
export type { LoopReport } from './consumer.ts'
export { createDoor, type Door, type LogDoor } from './door.ts'
export {
  type DataOf,
  type EventOf,
  type EventType,
  eventType,
  follow,
  type NewEvent,
  type RecordedEvent,
} from './event.ts'
export { factsTransaction, fencedTransaction } from './fenced.ts'
export { createFollower, eventsArchived, type Followed, type Follower } from './follow.ts'
export { createHistory, type History } from './history.ts'
export { createLinger } from './linger.ts'
export {
  type Decision,
  decider,
  deliveryGroup,
  type Facet,
  type HandlerContext,
  type Module,
  type NewDelivery,
  projection,
  roleOf,
  type TimerChange,
} from './module.ts'
export { covers, decodeOffsets, encodeOffsets, furthest, type Offsets } from './offsets.ts'
export { operations } from './operations.ts'
export { listParked, showParked } from './parked.ts'
export { PARTITIONS, partitionOf } from './partitioner.ts'
export { createRecentTraces } from './recent-traces.ts'
export { createRedrive, isReason } from './redrive.ts'
export { openReplay, type Replay, ReplayFailure, type ReplayOptions } from './replay.ts'
export { type LogOptions, type RunningLog, registerLog, startLog, versionsRead } from './runtime.ts'
export { stretchSince } from './since.ts'
export { topologyOf } from './topology.ts'
export { tracePublished } from './tracing.ts'
export { createWakeups, type Wakeups } from './wakeup.ts'
