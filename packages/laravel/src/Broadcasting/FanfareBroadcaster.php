<?php

namespace Fanfare\Laravel\Broadcasting;

use Fanfare\Laravel\Api\HttpApi;
use Illuminate\Broadcasting\Broadcasters\Broadcaster;
use Illuminate\Broadcasting\Broadcasters\UsePusherChannelConventions;
use Illuminate\Support\Arr;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;

/** The driver `fanfare`: what Laravel's own for Pusher does, without Pusher's library. */
class FanfareBroadcaster extends Broadcaster
{
    use UsePusherChannelConventions;

    public function __construct(
        private readonly ChannelSigner $signer,
        private readonly Publisher $publisher,
        private readonly JobKeys $keys,
    ) {}

    public function auth($request)
    {
        $channel = $request->input('channel_name');
        if (! is_string($channel) || ! is_string($request->input('socket_id'))) {
            throw new AccessDeniedHttpException;
        }
        $name = $this->normalizeChannelName($channel);
        if ($channel === '' || ($this->isGuardedChannel($channel) && ! $this->retrieveUser($request, $name))) {
            throw new AccessDeniedHttpException;
        }

        return parent::verifyUserCanAccessChannel($request, $name);
    }

    public function validAuthenticationResponse($request, $result)
    {
        $channel = $request->input('channel_name');
        $member = null;
        if (str_starts_with($channel, 'presence-')) {
            $user = $this->retrieveUser($request, $this->normalizeChannelName($channel));
            $member = ['user_id' => (string) self::idOf($user), 'user_info' => $result];
        }

        return $this->signer->channel($request->input('socket_id'), $channel, $member);
    }

    /** For `pusher.signin()`, with `Broadcast::resolveAuthenticatedUserUsing` of Laravel 9 and newer. */
    public function resolveAuthenticatedUser($request)
    {
        $user = parent::resolveAuthenticatedUser($request);

        return $user ? $this->signer->user((string) $request->input('socket_id'), $user) : null;
    }

    public function broadcast(array $channels, $event, array $payload = [])
    {
        $except = Arr::pull($payload, 'socket');
        $channels = $this->formatChannels($channels);
        $data = HttpApi::json($payload);
        $key = $this->keys->next($channels, $event, $data);
        [$encrypted, $plain] = collect($channels)->partition(fn (string $channel) => ChannelSigner::isEncrypted($channel));
        if ($plain->isNotEmpty()) {
            $this->publisher->publish($plain->values()->all(), $event, $data, $except, $key);
        }
        foreach ($encrypted as $channel) {
            $this->publisher->publish([$channel], $event, $this->signer->encrypt($channel, $data), $except, $key);
        }
    }

    /** As whom Laravel shows a user in presence channels. */
    public static function idOf(mixed $user): string|int
    {
        return method_exists($user, 'getAuthIdentifierForBroadcasting')
            ? $user->getAuthIdentifierForBroadcasting()
            : $user->getAuthIdentifier();
    }
}
