<?php

namespace Fanfare\Laravel\Http;

use Illuminate\Contracts\Broadcasting\Factory as Broadcasting;
use Illuminate\Database\Eloquent\ModelNotFoundException;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;

/**
 * Permission for up to 100 channels in one request, by routes/channels.php, as `batchAuthorizer` of @fanfare/client asks for it. What fails
 * otherwise than by a refusal fails the whole request, which the client then tries again.
 */
final class AuthorizeChannels
{
    public function __construct(private readonly Broadcasting $broadcasting) {}

    public function __invoke(Request $request): JsonResponse
    {
        $asked = validator($request->all(), [
            'connectionId' => ['required', 'string', 'regex:/^\d+\.\d+$/D'],
            'channels' => ['required', 'array', 'max:100'],
            'channels.*' => ['required', 'string'],
        ]);
        if ($asked->fails()) {
            return new JsonResponse(['message' => $asked->errors()->first()], 422);
        }
        $answers = [];
        foreach (array_unique($request->input('channels')) as $channel) {
            $answers[$channel] = $this->one($request, $request->input('connectionId'), $channel);
        }

        return new JsonResponse(['channels' => (object) $answers]);
    }

    private function one(Request $request, string $connection, string $channel): mixed
    {
        $request->merge(['socket_id' => $connection, 'channel_name' => $channel]);
        try {
            return $this->broadcasting->connection()->auth($request);
        } catch (AccessDeniedHttpException|ModelNotFoundException) {
            return ['error' => ['code' => 'forbidden', 'message' => 'You may not join this channel.']];
        }
    }
}
