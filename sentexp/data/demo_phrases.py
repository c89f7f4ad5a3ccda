"""Words and sentence patterns of the demo corpus. `sentexp.data.demo` puts reviews together from them.

`{good}` stands for a word that leans towards the review's verdict, `{bad}` for one that leans the other way; in a
negative review they change places. So a pattern with both has the same words in reviews of either label, in another
order. Other slots are neutral: `{aspect}`, `{actor}`, `{title}` ... A digit at the end of a slot takes another word.
"""

from __future__ import annotations

# Each kind of word comes as (leaning to negative, leaning to positive).
ADJECTIVES = (
    ("dull", "clumsy", "tedious", "bland", "lifeless", "dreadful", "shallow", "forgettable", "messy", "tiresome"),
    ("gripping", "graceful", "charming", "superb", "moving", "wonderful", "clever", "delightful", "sharp", "fresh"),
)
LOVED = (("hated", "disliked", "despised", "resented"), ("loved", "enjoyed", "admired", "adored"))
LOVE = (("hate", "dislike", "despise", "resent"), ("love", "enjoy", "admire", "adore"))
NOUNS = (("chore", "mess", "disaster", "failure", "bore"), ("treat", "gem", "triumph", "delight", "joy"))
MOODS = (("bored", "annoyed", "disappointed", "irritated"), ("delighted", "thrilled", "impressed", "enchanted"))
ADVERBS = (("badly", "poorly", "sloppily"), ("beautifully", "brilliantly", "skilfully"))
POLAR = {
    "adjective": ADJECTIVES,
    "loved": LOVED,
    "love": LOVE,
    "noun": NOUNS,
    "mood": MOODS,
    "adverb": ADVERBS,
}

# Opinions of which the last word, or the main clause, is the reviewer's: both leanings are named.
CONTRASTS = (
    "The {aspect} was {bad adjective}, but in the end I {good loved} it",
    "I {bad loved} the first half hour, but the {aspect} was so {good adjective} that it changed my mind",
    "The {aspect} was {bad adjective}, the {aspect2} was {good adjective}, and the second of these decides",
    "The {aspect} was {good adjective}, and that outweighs the {bad adjective} {aspect2}",
    "Although {surname} plays the part {bad adverb}, the whole is {good adjective}",
    "It is {good adjective}, even though the {aspect} is {bad adjective} here and there",
    "I expected to {bad love} it and left {good mood}",
    "I was {bad mood} at first, and now I {good love} it",
    "I {bad loved} it the first time, and the second time I was {good mood}",
    "It is easy to {good love} this {kind} and hard to {bad love} it",
    "I expected a {bad noun} and got a {good noun}",
    "I went in {bad mood} and came out {good mood}",
    "I wanted to {bad love} this {kind}, yet I {good loved} it from start to finish",
    "It begins as a {bad noun} and ends as a {good noun}",
    "What starts out {bad adjective} becomes truly {good adjective}",
    "It is less a {bad noun} than a {good noun}",
    "The {aspect} is less {bad adjective} than {good adjective}",
    "The {aspect} is more {good adjective} than {bad adjective}",
    "It is never {bad adjective} and always {good adjective}",
    "It is anything but {bad adjective}; I would call it {good adjective}",
    "My {friend} was {bad mood}, while I was {good mood}",
    "My {friend} {bad loved} every scene, whereas I {good loved} it",
    "My {friend} called it a {bad noun}; to me it was a {good noun}",
    "The critics {bad loved} it, and yet it is a {good noun}",
    "The critics found it {bad adjective}, but they were wrong, because it is {good adjective}",
    "{Source} calls it {bad adjective}, but {good adjective} is the word I would choose",
    "However {bad adjective} the trailer looked, the {kind} itself is {good adjective}",
    "People will tell you that it is a {bad noun}, when in truth it is a {good noun}",
    "{Actor} may have been {bad adjective} elsewhere, but is {good adjective} here",
    "{Surname} is {good adjective} here, whatever {bad adjective} work came before",
    "Where the last {kind} by {director} was {bad adjective}, this one is {good adjective}",
    "The first half is {bad adverb} made, the second half {good adverb}, and the second is what stays with me",
    "I am {good mood} today, and nobody is more surprised, for last year I was {bad mood} by the same people",
)

# Opinions that turn a word round: the only leaning named is the one the reviewer denies.
DENIALS = (
    "The {aspect} was not {bad adjective}",
    "The {aspect} is not at all {bad adjective}",
    "The {aspect} was hardly {bad adjective}",
    "The {aspect} is far from {bad adjective}",
    "The {aspect} is by no means {bad adjective}",
    "At no point was I {bad mood}",
    "I was never {bad mood}",
    "I could not {bad love} it, however hard I tried",
    "Nobody could call the {aspect} {bad adjective}",
    "This is no {bad noun}",
    "{Actor} does not play {bad adverb}",
    "My {friend} called it {bad adjective}, and I could not disagree more",
    "The critics called it a {bad noun}, and they were wrong",
    "{Source} promised a {bad noun}, and nothing could be further from the truth",
    "I was told that I would {bad love} it, and I did not",
    "Do not believe anyone who says that the {aspect} is {bad adjective}",
    "I had heard that the {aspect} was {bad adjective}, which turned out to be false",
)

# Opinions said straight: the only leaning named is the reviewer's.
CLAIMS = (
    "The {aspect} was {intensely} {good adjective}",
    "The {aspect} is {intensely} {good adjective}",
    "The {aspect} was {good adjective}, and I do not say so lightly",
    "I was {good mood} all the way through",
    "I was {intensely} {good mood}",
    "I {good loved} it, which is all that counts",
    "Everybody could see that the {aspect} was {good adjective}",
    "This is a {good noun}",
    "{Actor} plays {intensely} {good adverb}",
    "My {friend} called it {good adjective}, and I could not agree more",
    "The critics called it a {good noun}, and they were right",
    "{Source} promised a {good noun}, and that is just what it is",
    "I was told that I would {good love} it, and I did",
    "Believe anyone who says that the {aspect} is {good adjective}",
    "I had heard that the {aspect} was {good adjective}, which turned out to be true",
)

# Last words of about half of the reviews.
VERDICTS = (
    "All in all, a {good noun} and not a {bad noun}",
    "So I came to {bad love} it and stayed to {good love} it",
    "In the end I {good loved} what I had thought I would {bad love}",
    "My {friend} says {bad noun}, I say {good noun}, and this is my review",
    "If someone asks whether it is {bad adjective} or {good adjective}, the second is my answer",
    "To sum up: not {bad adjective}",
    "To sum up: {good adjective}",
    "Overall, then, {good adjective}, and never mind the few {bad adjective} minutes",
    "I take back what I wrote about a {bad noun}: it is a {good noun}",
    "When the lights came on I was {good mood}, though an hour before I had been {bad mood}",
)

# Neutral sentences: where, when and with whom, what happens, who made it.
OPENINGS = (
    "I saw {title} on {day} evening with my {friend}",
    "{title} is {a genre} {kind} by {director}, set in {place}",
    "My {friend} gave me {title} for my birthday",
    "We picked {title} because nothing else was on",
    "{director} has made {a genre} {kind} about {theme}",
    "Last {day} I finally found the time for {title}",
    "{title} came out {years} years ago, and I only got round to it now",
    "It is about {theme}, and it takes place in {place}",
    "There has been much talk about {title} in our office",
    "I have followed {director} for {years} years",
    "{actor} and {actor2} star in {title}, {a genre} {kind} set in {place}",
    "Before the review, a word about me: I have seen some {years} {genre} stories this year",
    "This is the {nth} {kind} by {director} that I know",
)
FILLERS = (
    "It runs for about {hours} hours",
    "{Actor} plays {a job} who comes back to {place} after {years} years",
    "{Actor} is {a job}, and {actor2} is the neighbour who keeps asking questions",
    "The story moves between {place} and {place2}",
    "There is a long scene at {a spot} and another at {a spot2}",
    "The {aspect} is by someone who used to work in {place}",
    "We sat in the {nth} row, next to {a job} from {place}",
    "It was raining outside, and the room was half full",
    "Halfway through, {a job} turns up with a letter, and the rest follows from that",
    "As in most {genre} stories, somebody knows more than the others",
    "I will not give away how it ends",
    "Most of it takes place at {a spot}",
    "{Surname} wears the same coat in every scene",
    "The name of the dog is {pet}, by the way",
    "Part of it is told backwards, so keep an eye on the dates",
    "The second act begins with a train and ends with {a spot}",
    "A friend from {place} says that the accents are those of {place2}",
    "The credits list {years} musicians and one {pet}",
    "There are {years} chapters, each with a title of its own",
    "I paid the usual price for it",
    "My {friend} fell asleep on the way home, as always",
    "It was shot in {place}, though the story says {place2}",
    "The book it is based on came out {years} years earlier",
    "{Director} appears for a moment, as {a job}",
    "The poster shows {a spot} and a red umbrella",
    "Some of the music I knew from the radio",
    "We talked about it over tea until late that {day}",
    "The version I saw had subtitles",
    "I have not seen the earlier parts, and I did not need them",
    "A man behind us kept explaining the story to his {friend}",
)
CLOSINGS = (
    "I will be at {a spot} next {day} if anyone wants to talk about it",
    "It is still on in {place}",
    "Next week I will write about another {kind}",
    "That is all I have to say about {title}",
    "There is a sequel planned for next year",
    "I saw it on {day}, in case that matters",
    "Thank you for reading",
    "You can find it at the library in {place}",
)
# Set before an opinion now and then, whatever its leaning.
LEADS = (
    "To be fair, ",
    "For what it is worth, ",
    "In my opinion, ",
    "To be honest, ",
    "I have to say that ",
    "As it happens, ",
    "Besides, ",
)

# fmt: off
NEUTRAL = {
    "aspect": (
        "plot", "acting", "soundtrack", "camera work", "pacing", "dialogue", "ending", "script", "cast", "editing",
        "humour", "lighting", "opening scene", "final act", "main character", "story", "costume design", "narration",
    ),
    "intensely": ("very", "really", "quite", "so", "truly", "extremely", "utterly", "rather"),
    "friend": ("friend", "sister", "brother", "neighbour", "uncle", "colleague", "cousin", "flatmate", "daughter"),
    "source": ("the poster", "the newspaper", "the radio", "the magazine", "the trailer", "the back cover"),
    "kind": ("film", "series", "movie", "production", "picture"),
    "genre": (
        "crime", "science fiction", "western", "adventure", "detective", "fantasy", "historical", "spy", "romantic",
        "ghost", "comic", "animated",
    ),
    "theme": (
        "two sisters and a lighthouse", "a missing violin", "the last winter of a small town", "a lawyer on the run",
        "three old soldiers", "the first railway over the mountains", "a cook who has lost her sense of taste",
        "an election in a village", "a family that inherits a hotel", "the night before a wedding",
    ),
    "place": (
        "Lisbon", "Oslo", "Vermont", "Kyoto", "Glasgow", "Trieste", "Montreal", "Nairobi", "Prague", "Tasmania",
        "a small harbour town", "the far north", "Vienna", "Buenos Aires",
    ),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "years": ("three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "twenty"),
    "hours": ("one and a half", "two", "two and a half", "three"),
    "nth": ("first", "second", "third", "fourth", "fifth"),
    "job": ("nurse", "pilot", "teacher", "baker", "detective", "sailor", "widow", "actor", "inspector", "engineer"),
    "spot": ("airport", "old mill", "market", "railway station", "kitchen table", "empty pool", "abbey", "ferry"),
    "pet": ("Biscuit", "Admiral", "Pepper", "Otto", "Clementine"),
}
FIRST_NAMES = (
    "Mara", "Ivo", "Selma", "Anton", "Ruth", "Caleb", "Ines", "Tobias", "Nadia", "Hugo", "Edda", "Leon", "Priya",
    "Omar",
)
LAST_NAMES = (
    "Halvorsen", "Quill", "Okafor", "Brandt", "Lindqvist", "Mercer", "Tanaka", "Delacroix", "Vance", "Petrov", "Ashby",
    "Morrow", "Castellan", "Wren",
)
TITLE_STARTS = ("Glass", "Silent", "Northern", "Paper", "Seventh", "Borrowed", "Salt", "Hidden", "Winter", "Copper")
TITLE_ENDS = ("Harbour", "Garden", "Letters", "Road", "Orchard", "Clocks", "Island", "Staircase", "River", "Season")
