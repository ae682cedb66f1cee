<?php

namespace Fanfare\Laravel;

use Closure;
use Fanfare\Laravel\Api\Credentials;
use Fanfare\Laravel\Api\FanfareException;
use Fanfare\Laravel\Api\HttpApi;
use Illuminate\Support\Str;

/** What a back end does with Fanfare besides broadcasting: publish and ask, act on channels, users and connections, issue tokens. */
class Fanfare
{
    private const MOST_CHANNELS = 100;

    private const MOST_EVENTS = 10;

    private ?Closure $findUser = null;

    public function __construct(private readonly Credentials $credentials, private readonly HttpApi $api) {}

    /**
     * Publishes once, in each of the channels. `$except` is the connection that does not get it, `$key` the idempotency key: within five
     * minutes the server publishes once for each key and channel.
     *
     * @param  string|string[]  $channels
     * @return array<string, array{epoch: string, offset: int}> where the event stands in each channel that keeps a history
     *
     * @throws FanfareException
     */
    public function publish(string|array $channels, string $event, mixed $data = [], ?string $except = null, ?string $key = null): array
    {
        return $this->publishText((array) $channels, $event, HttpApi::json($data), $except, $key);
    }

    /** The same with data that are text already. */
    public function publishText(array $channels, string $event, string $data, ?string $except = null, ?string $key = null): array
    {
        $key ??= (string) Str::uuid();
        $positions = [];
        foreach (array_chunk(array_values(array_unique($channels)), self::MOST_CHANNELS) as $some) {
            $answer = $this->api->call('POST', '/events', [
                'name' => $event, 'channels' => $some, 'data' => $data, 'socket_id' => $except, 'idempotency_key' => $key, 'info' => 'position',
            ]);
            foreach ($answer['channels'] ?? [] as $channel => $about) {
                if (isset($about['position'])) {
                    $positions[$channel] = $about['position'];
                }
            }
        }

        return $positions;
    }

    /** To a user, on all connections that are signed in as that user. */
    public function toUser(string|int $user, string $event, mixed $data = [], ?string $key = null): void
    {
        $this->publish("#server-to-user-{$user}", $event, $data, key: $key);
    }

    /**
     * Many events in order, each once, ten to a request: `['channel' => …, 'event' => …, 'data' => …]`, with `except` and `key` if wanted.
     *
     * @param  array<int, array{channel: string, event: string, data?: mixed, except?: string, key?: string}>  $events
     */
    public function batch(array $events): void
    {
        $items = array_map(fn (array $event) => array_filter([
            'channel' => $event['channel'],
            'name' => $event['event'],
            'data' => HttpApi::json($event['data'] ?? []),
            'socket_id' => $event['except'] ?? null,
            'idempotency_key' => $event['key'] ?? (string) Str::uuid(),
        ], fn (mixed $value) => $value !== null), array_values($events));
        foreach (array_chunk($items, self::MOST_EVENTS) as $some) {
            $this->api->call('POST', '/batch_events', ['batch' => $some]);
        }
    }

    public function channel(string $name): Channel
    {
        return new Channel($this->api, $name);
    }

    /** All connections of a user: signed in as the user, or the user in a presence channel. */
    public function user(string|int $id): User
    {
        return new User($this->api, (string) $id);
    }

    /** One connection, by its id: `socket_id`, or `Broadcast::socket()` of a request. */
    public function connection(string $id): Connection
    {
        return new Connection($this->api, $id);
    }

    /** The channels with subscribers. `user_count` in `$info` takes a `$prefix` that begins with `presence-`. */
    public function channels(string $prefix = '', string $info = ''): array
    {
        $query = ['filter_by_prefix' => $prefix ?: null, 'info' => $info ?: null];

        return $this->api->call('GET', '/channels', query: $query)['channels'];
    }

    /** A page of the app's connections. Filters: `limit`, `cursor` (the `next` of the page before), `user_id`, `channel`. */
    public function connections(array $filters = []): array
    {
        return $this->api->call('GET', '/connections', query: $filters + ['limit' => 100]);
    }

    public function connectionCount(): int
    {
        return $this->api->call('GET', '/connections')['connections'];
    }

    /**
     * A token (JWT) by which a client of the native protocol connects as a user. `$claims`: `channels` (patterns that the user may join),
     * `watch` (patterns of presence channels that it may see without being a member), `info`, `watchlist`, `aud`, `iss`.
     */
    public function token(string|int $user, array $claims = [], int $expiresIn = 3600): string
    {
        $url = fn (string $bytes) => rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
        $times = ['sub' => (string) $user, 'iat' => time(), 'exp' => time() + $expiresIn];
        $signed = $url('{"alg":"HS256","typ":"JWT"}').'.'.$url(HttpApi::json($times + $claims));

        return $signed.'.'.$url($this->credentials->sign($signed, true));
    }

    /** How the user of a hook is found by the id that clients have, where the guard's provider does not know it: `fn (string $id) => …`. */
    public function findUserUsing(Closure $find): void
    {
        $this->findUser = $find;
    }

    /** @internal */
    public function userFinder(): ?Closure
    {
        return $this->findUser;
    }
}
