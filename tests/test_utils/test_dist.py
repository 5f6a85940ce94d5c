from mcjepa_mm.utils.dist import tell_difference


def test_fewer_are_wrong_and_named_with_their_machine():
    had = [dict(lr='1', batch='8')] * 2 + [dict(lr='2', batch='8')]
    said = tell_difference(['a', 'a', 'b'], had)
    assert said.endswith(': process 2 on b: lr is 2, not 1.')


def test_of_two_the_first_is_right_and_three_names_are_told():
    first = dict(a='1', b='1', c='1', d='1', e='1')
    said = tell_difference('xy', [first, dict(e='1', f='2')])
    assert 'process 1 on y' in said and 'process 0' not in said
    assert 'c is missing, not 1; 2 more differ' in said
