import type { ClusterLab } from '../stage/cluster-lab.ts';

export const API_SERVER_KILLED = 'API server killed';

/** Everything that the API server does to a host, by name; each is over when its promise resolves, about `forMs` later. */
export function outagesOf(
  { proxy, stage }: ClusterLab,
  kills: boolean,
): Record<string, (forMs: number) => Promise<void>> {
  const injected = async (what: 'drop' | 'stall', forMs: number): Promise<void> => {
    proxy.inject({ do: what });
    if (what === 'drop') proxy.cutConnections();
    await pause(forMs);
    proxy.heal();
  };
  const outages: Record<string, (forMs: number) => Promise<void>> = {
    'connections of the agent cut': () => Promise.resolve(proxy.cutConnections()),
    'agent cut off': (forMs) => injected('drop', forMs),
    'requests of the agent stalled': (forMs) => injected('stall', forMs),
    'API server frozen': async (forMs) => {
      await stage.plane.freezeApiServer();
      await pause(forMs);
      stage.plane.thawApiServer();
    },
  };
  if (kills)
    outages[API_SERVER_KILLED] = async (forMs) => {
      await stage.plane.kill9ApiServer();
      await pause(forMs);
      await stage.plane.restartApiServer();
    };
  return outages;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
