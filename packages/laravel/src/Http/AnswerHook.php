<?php

namespace Fanfare\Laravel\Http;

use Fanfare\Laravel\Hooks\Answer;
use Fanfare\Laravel\Hooks\Connect;
use Fanfare\Laravel\Hooks\Disconnect;
use Fanfare\Laravel\Hooks\Hook;
use Fanfare\Laravel\Hooks\Subscribe;
use Illuminate\Auth\Access\AuthorizationException;
use Illuminate\Contracts\Events\Dispatcher;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use InvalidArgumentException;
use Symfony\Component\HttpKernel\Exception\HttpExceptionInterface;

/** The route of the server's hooks: a listener answers, or what Laravel knows of the user and routes/channels.php. */
final class AnswerHook
{
    private const OLDEST_MS = 300_000;

    public function __construct(private readonly Dispatcher $events, private readonly HookDefaults $defaults) {}

    public function __invoke(Request $request): JsonResponse
    {
        try {
            $hook = Hook::from($request);
        } catch (InvalidArgumentException $error) {
            return self::problem(404, $error->getMessage());
        }
        // What was recorded cannot be asked again. The end of a connection is an observation, which is repeated until it is taken.
        if (! $hook instanceof Disconnect && abs(time() * 1000 - $hook->timeMs) > self::OLDEST_MS) {
            return self::problem(401, 'The question is too old.');
        }
        $answer = $this->answer($hook);
        if ($answer === null) {
            // Not 200: that would let everything pass which somebody wanted to decide about.
            return self::problem(404, 'No listener answered '.$hook::class.'.');
        }

        // An empty answer is `{}`, not `[]`.
        return new JsonResponse((object) $answer->members);
    }

    private function answer(Hook $hook): ?Answer
    {
        try {
            $returned = $this->events->dispatch($hook, [], true);
            if ($hook instanceof Disconnect) {
                return Answer::allow();
            }

            return match (true) {
                $returned !== null => Answer::of($returned),
                $hook instanceof Connect => $this->defaults->connect($hook),
                $hook instanceof Subscribe => $this->defaults->subscribe($hook),
                default => null,
            };
        } catch (AuthorizationException $refusal) {
            return Answer::refuse($refusal->getMessage());
        } catch (HttpExceptionInterface $refusal) {
            if ($refusal->getStatusCode() >= 500) {
                throw $refusal;
            }

            return Answer::refuse($refusal->getMessage() ?: 'Refused.');
        }
    }

    private static function problem(int $status, string $message): JsonResponse
    {
        return new JsonResponse(['message' => $message], $status);
    }
}
