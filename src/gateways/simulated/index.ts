export { createSimulatedClient, type GatewayOutcome, type SimulatedClient } from './client.ts'
export { noScenario, parseScenario, type Scenario } from './scenario.ts'
export { type SimulatedGateway, type SimulatedGatewayOptions, startSimulatedGateway } from './server.ts'
